"""Drawing zones."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "page.draw": ("划片", "Draw"),
    "draw.desktop": (
        "片区划定需要较大的屏幕和鼠标,请在电脑上打开此页。",
        "Zones are drawn on a larger screen, with a mouse: open this page on a computer.",
    ),
    "draw.zones": ("片区", "Zones"),
    "draw.new": ("新建片区", "New zone"),
    "draw.edit": ("重划边界", "Redraw"),
    "draw.pick": (
        "选择一个片区进行查看或重划,或新建片区。",
        "Choose a zone to look at or redraw, or draw a new one.",
    ),
    "draw.page": ("片区详情", "Zone page"),
    "draw.size": ("{area} 平方公里,约 {cells} 格", "{area} km², about {cells} cells"),
    "draw.area": ("{n} 平方公里", "{n} km²"),
    "draw.places": ("已落 {n} 点", "{n} points"),
    "draw.how.new": (
        "在地图上逐点单击;单击起点、双击或按回车闭合。靠近相邻片区时自动吸附,并沿其边界走线"
        "(按住 Shift 走直线)。",
        "Click point by point on the map; click the first one, double-click or press Enter to "
        "close. Near another zone the pen snaps to it and follows its boundary (Shift: straight).",
    ),
    "draw.how.edit": (
        "拖动节点修改边界,拖动边上小点新增节点,右击或 Delete 删除节点"
        "(孔洞或分块只剩三点时整体删除)。"
        "公共边界需先收缩一侧,再扩展另一侧。",
        "Drag a vertex, drag the small dot of an edge to add one, right-click or Delete to remove "
        "one (a hole or part of three goes wholly). To shift a shared boundary, first shrink the "
        "one zone, then grow the other.",
    ),
    "draw.ring": ("挖空或加块", "Hole or part"),
    "draw.how.ring": (
        "逐点单击画出一圈:在片区内为挖空(如湖面),在片区外为另一块。单击起点、双击或按回车闭合,"
        "Esc 放弃。",
        "Click point by point: within the zone it is a hole, such as a lake, outside a further "
        "part. Click the first one, double-click or press Enter to close, Esc to give it up.",
    ),
    "draw.grip": ("拖动移动,右击删除", "Drag to move, right-click to remove"),
    "draw.grip.new": ("拖动新增节点", "Drag to add a vertex"),
    "draw.zone_id": ("片区编号(字母、数字、- 和 _)", "Zone id (letters, digits, - and _)"),
    "draw.name": ("名称", "Name"),
    "draw.name_zh": ("中文名称", "Chinese name"),
    "draw.policy": ("巡查标准", "Policy"),
    "draw.code": ("网格编码(可不填)", "Grid code (optional)"),
    "draw.code.hint": (
        "GB/T 30428 单元网格编码,14 或 15 位数字",
        "Unit-grid code of GB/T 30428: 14 or 15 digits",
    ),
    "draw.when": ("生效时间", "Valid from"),
    "draw.from.now": ("保存后立即生效。", "In force as soon as it is saved."),
    "draw.from.at": ("自 {time} 起生效。", "In force from {time}."),
    "draw.counted": (
        "此前的覆盖仍按旧边界统计。",
        "Coverage before is counted by the old outline.",
    ),
    "draw.counted.new": ("自此开始统计覆盖。", "Its coverage is counted from then on."),
    "draw.gives_way": (
        "此后已计划的版本或失效时间将被取代。",
        "A version or an end that is planned after that gives way.",
    ),
    "draw.check": ("检查", "Check"),
    "draw.save": ("保存", "Save"),
    "draw.cancel": ("取消", "Cancel"),
    "draw.undo": ("撤销一步", "take back the last change"),
    "draw.undo.nothing": ("没有可撤销的修改", "There is nothing to take back"),
    "draw.close": ("闭合边界", "close the outline"),
    "draw.open": (
        "边界尚未闭合:至少三个点,单击起点、双击或按回车闭合。",
        "The outline is still open: at least three points, then click the first one, "
        "double-click or press Enter.",
    ),
    "draw.sound": (
        "检查通过,可以保存:可巡查网格 {n} 个。",
        "Nothing is wrong with it: {n} cells that can be patrolled.",
    ),
    "draw.saved": ("已保存。", "Saved."),
    "draw.next_start": (
        "有片区超出当前网格范围,系统下次启动后才开始统计,其间的改动也一样。",
        "Zones reach beyond the grid of the running station, which follows this, and whatever is "
        "drawn until then, after its next start.",
    ),
    "draw.plan.new": ("待生效", "to come"),
    "draw.plan.change": ("有变更计划", "change planned"),
    "draw.plan.end": ("将撤销", "ends"),
    "draw.by": ("由 {who} 划定", "drawn by {who}"),
    "flaw.overlap": (
        "与“{zone}”重叠 {area} 平方米",
        "Overlaps {zone} by {area} m²: zones must not overlap",
    ),
    "flaw.crosses": ("边界自相交", "The outline crosses itself"),
    "flaw.hole_outside": ("挖空部分超出片区边界", "A hole lies outside of the zone"),
    "flaw.nested": (
        "两处挖空或两块区域互相重叠",
        "Of two holes, or two parts, one lies in the other",
    ),
    "flaw.apart": (
        "挖空部分与边界相接,将片区分成了几块",
        "Holes that touch the outline cut the zone in two: draw it as two parts",
    ),
    "flaw.large": ("跨度 {km} 公里,超出片区范围", "Extends over {km} km, too far for a zone"),
    "flaw.grid": (
        "辖区范围过大,请检查位置",
        "The district would be too large: is it in the right place?",
    ),
    "flaw.small": (
        "面积仅 {area} 平方米,不足半个网格",
        "Covers {area} m², less than half a cell",
    ),
    "flaw.far": (
        "距其他片区 {km} 公里,请检查位置",
        "Lies {km} km from the other zones: is it in the right place?",
    ),
    "flaw.past": (
        "时间早于现在:过去的记录不可改写",
        "The moment lies in the past, which is not rewritten",
    ),
    "flaw.last": (
        "这是最后一个片区,撤销后辖区将没有片区",
        "It is the last zone: the district would have none",
    ),
    "flaw.code": ("网格编码须为 14 或 15 位数字", "The grid code must have 14 or 15 digits"),
    "flaw.id": (
        "片区编号为 1 至 64 个字符:字母、数字、_ 和 -",
        "A zone id is 1 to 64 letters, digits, _ and -",
    ),
    "flaw.policy": ("配置中没有巡查标准“{policy}”", "There is no policy “{policy}”"),
    "flaw.code_taken": (
        "网格编码 {code} 已被其他片区使用",
        "The grid code {code} is that of another zone",
    ),
    "flaw.id_taken": (
        "片区编号 {zone_id} 已被使用",
        "The zone id {zone_id} is that of another zone",
    ),
    "draw.stale": (
        "片区已被其他人修改。所绘内容已保留:请载入最新片区,核对后再保存。",
        "Somebody else has changed the zones. What you drew is kept: load the newest, look at it "
        "and save again.",
    ),
    "draw.stale.again": ("载入最新片区", "Load the newest"),
    "draw.stale.done": (
        "已载入最新片区,请核对后再保存。",
        "These are the newest zones: look at them, then save.",
    ),
    "draw.leave": ("放弃未保存的修改?", "Give up what is not saved?"),
    "draw.leave.note": (
        "所绘边界和填写内容将丢失。",
        "The outline and what was written down will be lost.",
    ),
    "draw.leave.go": ("放弃修改", "Give up"),
    "draw.versions": ("版本", "Versions"),
    "draw.version.now": ("现行", "in force"),
    "draw.version.planned": ("待生效", "planned"),
    "draw.version.past": ("已失效", "past"),
    "draw.span": ("{from} 至 {to}", "{from} to {to}"),
    "draw.always": ("启用之初", "the beginning"),
    "draw.open_end": ("长期", "further notice"),
    "draw.end": ("撤销片区", "End this zone"),
    "draw.end.when": ("失效时间", "It ends"),
    "draw.end.note": (
        "自该时刻起不再巡查和考核;此前的覆盖与告警记录仍保留。",
        "From then on it is neither patrolled nor judged; its coverage and alerts until then "
        "are kept.",
    ),
    "draw.ended": ("已登记片区失效时间", "The end of the zone is on record"),
    "moment.now": ("立即", "now"),
    "moment.tomorrow": ("明日 0 时", "tomorrow 00:00"),
    "moment.custom": ("指定时间…", "at a time…"),
    "moment.at": ("指定时间", "The time"),
    "policy.brief": ("至少每 {time} 巡查一次。", "Patrolled at least every {time}."),
}
