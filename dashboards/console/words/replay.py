"""The past on the map."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "replay": ("历史回放", "Replay"),
    "replay.key": ("历史回放 / 返回实时", "replay the past, or back to now"),
    "replay.banner": ("历史回放 · 非实时", "Replay · this is not now"),
    "replay.leave": ("返回实时", "Back to now"),
    "replay.now": ("实时", "as of now"),
    "replay.as_of": ("以下为 {time} 的情况", "As it was on {time}"),
    "replay.not_known": ("正在读取该时刻的情况…", "Reading how it was then…"),
    "replay.hour": ("近一小时", "Last hour"),
    "replay.shift": ("本班次", "This shift"),
    "replay.today": ("今天", "Today"),
    "replay.yesterday": ("昨天", "Yesterday"),
    "replay.custom": ("自选时段", "Other…"),
    "replay.custom_note": ("最长 24 小时,按辖区时间", "At most 24 hours, in the district's time"),
    "replay.from": ("开始", "From"),
    "replay.to": ("结束", "To"),
    "replay.show": ("回放", "Replay"),
    "replay.bad_span": (
        "请选择已过去的时段,最长 24 小时",
        "Choose a time that has passed, of at most 24 hours",
    ),
    "replay.slider": ("回放时刻", "Instant"),
    "replay.play": ("播放", "play"),
    "replay.pause": ("暂停播放", "pause"),
    "replay.back": ("后退一分钟(Shift 十分钟)", "a minute back (shift: ten)"),
    "replay.forward": ("前进一分钟(Shift 十分钟)", "a minute on (shift: ten)"),
    "replay.faster": ("加快", "faster"),
    "replay.slower": ("放慢", "slower"),
    "replay.previous_mark": ("上一次超时", "to the alert before"),
    "replay.next_mark": ("下一次超时", "to the next alert"),
    "replay.loading": ("正在读取轨迹…", "Reading the tracks…"),
    "replay.no_tracks": ("该时段没有车辆轨迹", "No bike was heard in this time"),
    "replay.failed": ("轨迹读取失败:{why}", "The tracks cannot be read: {why}"),
}
