"""Why the API refuses something, where no other part of the catalogue says it.

``refusal.REASON`` is the whole of a problem document; ``wrong.*`` is what it lists about single
fields, found by the patterns of ``static/wrong.js``.
"""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    # What is not known here is told in the words of the API, which are English.
    "refusal.other": ("服务器提示:{detail}", "{detail}"),
    "refusal.internal_error": (
        "服务器内部错误,请重试;若再次发生,请查看日志",
        "the server failed; try again, and see its log if it happens again",
    ),
    "refusal.invalid_request": ("填写内容有误:{detail}", "{detail}"),
    "refusal.invalid_order": ("填写内容有误:{detail}", "{detail}"),
    "refusal.invalid_zones": ("片区有误:{detail}", "{detail}"),
    "refusal.invalid_time": ("时间格式有误", "that is not a time"),
    "refusal.invalid_date": ("日期格式有误", "that is not a date"),
    "refusal.invalid_cursor": (
        "列表已变化,请刷新页面",
        "the list has changed; load the page again",
    ),
    "refusal.empty_window": ("开始须早于结束", "the beginning must be before the end"),
    "refusal.missing_from": ("请填写开始时间", "a beginning is needed"),
    "refusal.at_with_window": ("时刻与时段只能选其一", "either an instant or a window, not both"),
    "refusal.span_too_long": ("时段过长,最多 24 小时", "the span is too long; 24 h at most"),
    "refusal.too_many_points": (
        "数据过多,请缩短时段",
        "that is too much at once; take a shorter span",
    ),
    "refusal.too_many_days": ("天数过多,请缩短时段", "that is too many days at once"),
    "refusal.day_to_come": ("该日尚未开始", "that day has not begun"),
    "refusal.unknown_alert": ("没有此告警", "there is no such alert"),
    "refusal.unknown_bike": ("没有此车辆", "there is no such bike"),
    "refusal.unknown_vendor": ("没有此厂商", "there is no such vendor"),
    "refusal.unknown_zone": ("没有此片区", "there is no such zone"),
    "refusal.unknown_campaign": ("没有此专项", "there is no such campaign"),
    "refusal.unknown_state": ("没有此状态", "there is no such state"),
    "refusal.unknown_route": (
        "服务器没有此功能,可能版本不一致,请刷新页面",
        "the server does not know this; load the page again",
    ),
    "refusal.ambiguous_bike": ("多家厂商有此车号", "more than one vendor has a bike of this name"),
    "refusal.zones_changed": (
        "其他人已修改片区,请刷新页面",
        "somebody else has changed zones; load the page again",
    ),
    "refusal.if_match_missing": (
        "缺少片区版本,请刷新页面",
        "the version of the zones is missing; load the page again",
    ),
    "refusal.zone_ended": ("届时该片区已停用", "the zone has ended by then"),
    "refusal.storage_unavailable": (
        "暂时无法保存,未做任何更改,请检查磁盘后重试",
        "it cannot be saved now; nothing was changed. See to the disk, try again",
    ),
    "refusal.archive_damaged": (
        "归档文件损坏,无法读取该时段;请查看日志",
        "a file of the archive is damaged, so this time cannot be read; see the log",
    ),
    "refusal.not_signed_in": ("登录已失效,请重新登录", "you are not signed in any more"),
    "refusal.session_over": ("登录已失效,请重新登录", "your session is over; sign in again"),
    "refusal.user_disabled": (
        "此用户已停用,请联系管理员",
        "this user was disabled; ask an administrator",
    ),
    "refusal.csrf_token_missing": ("页面已失效,请刷新", "this page is too old; load it again"),
    "refusal.csrf_token_wrong": (
        "此浏览器已由他人登录,请刷新页面",
        "somebody else has signed in here meanwhile; load the page again",
    ),
    "refusal.cross_origin": (
        "请求来自其他网站,已拒绝",
        "the request came from another site and was refused",
    ),
    "refusal.host_not_loopback": (
        "请在本机通过 127.0.0.1 打开",
        "open it on this machine, by the address 127.0.0.1",
    ),
    "refusal.host_unknown": (
        "此网址未列入 public_hosts",
        "this address is not among public_hosts of the configuration",
    ),
    "refusal.no_session": ("没有可退出的会话", "there is no session to end"),
    "refusal.token_unknown": ("令牌无效", "there is no such token"),
    "refusal.token_expired": ("令牌已过期", "the token has expired"),
    "refusal.token_revoked": ("令牌已吊销", "the token was revoked"),
    "session.over": (
        "登录已失效,此处填写的内容仍保留。请在新页面登录,再回来提交:",
        "Your session is over; what is written here stays. Sign in on a new page, then come back:",
    ),
    "session.sign_in": ("登录", "Sign in"),
    # Of single fields.
    "wrong.required": ("必填", "is required"),
    "wrong.too_long": ("最多 {n} 个字符", "at most {n} characters"),
    "wrong.duration": (
        "“{what}”不是时长,请写成 2h、1h30m 或 45m",
        "“{what}” is not a duration; write 2h, 1h30m or 45m",
    ),
    "wrong.not_zero": ("须大于 0", "must be longer than 0"),
    "wrong.target": ("须大于 0% 且不超过 100%", "must be over 0 % and at most 100 %"),
    "wrong.name": (
        "须为 1 至 {n} 个字符,不能换行或含“/”",
        "must be 1 to {n} characters, without line breaks and “/”",
    ),
    "wrong.name_taken": (
        "已有同名专项尚未结束,请换一个名称",
        "is that of a campaign that is not over; take another",
    ),
    "wrong.changes_nothing": (
        "没有任何改变,请至少填写一项要求",
        "it changes nothing; give at least one thing that it asks",
    ),
    "wrong.past": ("不能早于现在;留空则立即开始", "must not lie in the past; empty: now"),
    "wrong.after_from": ("须晚于开始时间", "must be after the beginning"),
    "wrong.date": ("请填写日期和时间", "must be a date and a time"),
    "wrong.no_zone": ("没有片区“{what}”", "there is no zone “{what}”"),
}
