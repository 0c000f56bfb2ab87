"""The pages before the console."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str]] = {
    "door.login.title": ("登录", "Sign in"),
    "door.login.button": ("登录", "Sign in"),
    "door.login.hint": ("忘记密码请联系管理员", "Forgot the password? Ask an administrator"),
    "door.setup.title": ("设置第一位管理员", "Set up the first administrator"),
    "door.setup.button": ("创建并登录", "Create and sign in"),
    "door.setup.hint": (
        "此链接只能使用一次。密码至少 12 个字符",
        "This link works once. A password has at least 12 characters",
    ),
    "door.password.title": ("修改密码", "Change the password"),
    "door.password.button": ("修改", "Change"),
    "door.password.hint": (
        "修改后,所有已登录的设备都需重新登录",
        "All devices that are signed in will have to sign in again",
    ),
    "door.username": ("用户名", "User name"),
    "door.password": ("密码", "Password"),
    "door.current": ("当前密码", "Current password"),
    "door.new": ("新密码", "New password"),
    "door.again": ("再次输入密码", "The password again"),
    "door.different": ("两次输入的密码不一致", "The two passwords differ"),
    "door.failed": ("请求失败,请重试", "The request failed, please try again"),
    "door.wrong_credentials": ("用户名或密码错误", "User name or password is wrong"),
    "door.too_many_attempts_user": (
        "此用户尝试次数过多,请 {n} 秒后再试",
        "Too many attempts for this user; try again in {n} s",
    ),
    "door.too_many_attempts_address": (
        "此地址尝试次数过多,请 {n} 秒后再试",
        "Too many attempts from this address; try again in {n} s",
    ),
    "door.too_many_attempts": (
        "登录人数过多,请 {n} 秒后再试",
        "Too many people are signing in; try again in {n} s",
    ),
    "door.weak_password": (
        "密码须为 12 至 256 个字符,不能含用户名,且不能过于单一",
        "A password has 12 to 256 characters, not all alike, and not the user name in it",
    ),
    "door.invalid_username": (
        "用户名为 1 至 32 个字符:小写字母、数字和 . _ -",
        "A user name is 1 to 32 of the characters a-z 0-9 . _ -",
    ),
    "door.invitation_missing": (
        "请打开 patrol run 输出的一次性链接",
        "Open the one-time link that patrol run has printed",
    ),
    "door.invitation_wrong": (
        "此链接已使用或已被替换,请使用 patrol run 最新输出的链接",
        "This link was used or replaced; take the newest that patrol run has printed",
    ),
    "door.invitation_over": (
        "此链接已过期,请重新启动 patrol run",
        "This link is too old; start patrol run again",
    ),
    "door.already_set_up": ("已有管理员,请登录", "There is an administrator; sign in"),
}
