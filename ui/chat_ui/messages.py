"""Every text that a person reads, in English and Simplified Chinese, and the choice between the two.

Texts named `page_…` are translated in the browser by its own locale (Gradio's i18n and `static/`); the others
are written by this service, by the request's Accept-Language.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh-CN"]

_ENGLISH = {
    "page_title": "Qwen Chat",
    "page_message": "Message",
    "page_message_placeholder": "Ask anything. Enter sends, Shift+Enter starts a new line",
    "page_send": "Send",
    "page_stop": "Stop",
    "page_retry": "Retry",
    "page_new_chat": "New chat",
    "page_settings": "Settings",
    "page_close": "Close",
    "page_conversation": "Conversation",
    "page_system_prompt": "System prompt",
    "page_system_prompt_info": "How the assistant should behave. Empty: the model's own default.",
    "page_temperature": "Temperature",
    "page_temperature_info": "Low: predictable. High: inventive.",
    "page_top_p": "Top-p",
    "page_top_p_info": "Only the likeliest words that make up this share.",
    "page_max_new_tokens": "Max new tokens",
    "page_max_new_tokens_info": "The longest answer. A token is about ¾ of a word.",
    "page_repetition_penalty": "Repetition penalty",
    "page_repetition_penalty_info": "1: off. Higher: repeats itself less.",
    "page_reset_settings": "Reset to defaults",
    "page_welcome": "What can I help with?",
    "page_welcome_detail": "The model runs on your own server. What you write stays there.",
    "page_example_1": "What is the capital of France?",
    "page_example_2": "Write a Python function that checks whether a number is prime, and explain it.",
    "page_example_3": "Summarise the water cycle in three short bullet points.",
    "page_stopped": "You stopped this answer.",
    "page_interrupted": "The connection was lost during this answer. Press Retry to have it written again.",
    "page_unanswered": "The connection was lost before this was answered. Press Retry to ask again.",
    "page_state_ready": "Ready",
    "page_state_starting": "Preparing the model…",
    "page_state_downloading": "Downloading the model…",
    "page_state_verifying": "Verifying the model's files…",
    "page_state_loading": "Loading the model into memory…",
    "page_state_failed": "The model can't be used",
    "page_state_restarting": "The engine stopped answering and is restarting…",
    "page_state_gone": "The engine is not running",
    "page_state_gone_detail": "Whoever runs this server can start it. Your conversation is kept.",
    "page_state_unreachable": "The server can't be reached. Trying again…",
    "page_error": "Problem",
    "page_sign_out": "Sign out",
    "page_signed_in": "Signed in as {name}",
    "page_connection_lost": "The connection to the server was lost. The page comes back by itself.",
    "page_progress": "{done} of {total}",
    "page_rate": "{rate}/s",
    "page_eta": "about {time} left",
    "page_seconds": "{n} s",
    "page_minutes": "{n} min",
    "page_hours": "{h} h {m} min",
    "page_state_detail": "You can write your question now; it can be answered when this is done.",
    "note_left_out": "Older messages were left out: {left_out} of {of} did not fit into the model's memory.",
    "note_length": "Cut at {tokens} tokens. Raise “Max new tokens” in Settings for longer answers.",
    "note_empty": "The model gave an empty answer. Press Retry.",
    "notice_too_long": "Your message is too long: {given} tokens, and at most {limit} fit (with the system "
    "prompt, and {max_new_tokens} kept for the answer). Shorten it, or lower “Max new tokens” in Settings.",
    "error_busy": "The model is answering as many people as it can. Press Retry in a moment.",
    "error_rate_limited": "You have sent too many messages in the last minute. {again}",
    "error_too_many_running": "As many of your answers as allowed are already being written, perhaps in "
    "another tab. Wait until one ends, or stop one. Then press Retry.",
    "error_budget_spent": "Your daily budget of tokens is spent. It is renewed at midnight UTC. {again}",
    "error_unavailable": "The model can't be reached right now. Press Retry in a moment.",
    "error_restarting": "The engine stopped answering and is restarting. Press Retry when the bar at the top "
    "is gone.",
    "error_gone": "The engine is not running. Press Retry when whoever runs this server has started it.",
    "error_preparing": "The model is not ready yet ({state}). Press Retry when the bar at the top is gone.",
    "error_model_failed": "The model could not be prepared; the bar at the top says why.",
    "error_generation": "The model failed while answering. Press Retry.",
    "error_rejected": "The model refused the request: {detail}",
    "error_cut": "The answer was cut off: the connection to the model was lost. What had arrived is kept. "
    "Press Retry for a whole answer.",
    "error_internal": "Something went wrong on the server. Press Retry.",
    "again_in": "Try again in {time}.",
    "again_soon": "Try again in a moment.",
    "state_starting": "being prepared",
    "state_downloading": "being downloaded",
    "state_verifying": "being verified",
    "state_loading": "being loaded into memory",
}

_CHINESE = {
    "page_title": "Qwen 聊天",
    "page_message": "消息",
    "page_message_placeholder": "输入你的问题。按 Enter 发送，Shift+Enter 换行",
    "page_send": "发送",
    "page_stop": "停止",
    "page_retry": "重试",
    "page_new_chat": "新对话",
    "page_settings": "设置",
    "page_close": "关闭",
    "page_conversation": "对话",
    "page_system_prompt": "系统提示词",
    "page_system_prompt_info": "规定助手在每次回答中的行为。留空则使用模型自带的默认值。",
    "page_temperature": "温度",
    "page_temperature_info": "低：稳定可预期。高：更有创意。",
    "page_top_p": "Top-p",
    "page_top_p_info": "只从累计概率达到此比例的词中选取。",
    "page_max_new_tokens": "最大生成 token 数",
    "page_max_new_tokens_info": "回答的最大长度。一个 token 约为 1.5 个汉字。",
    "page_repetition_penalty": "重复惩罚",
    "page_repetition_penalty_info": "1 表示关闭。越高越少重复。",
    "page_reset_settings": "恢复默认值",
    "page_welcome": "有什么可以帮你？",
    "page_welcome_detail": "模型运行在你自己的服务器上，你写的内容不会外传。",
    "page_example_1": "法国的首都是哪里？",
    "page_example_2": "写一个判断质数的 Python 函数，并加以解释。",
    "page_example_3": "用三个简短的要点概括水循环。",
    "page_stopped": "你停止了这次回答。",
    "page_interrupted": "回答过程中连接中断。按“重试”可重新生成。",
    "page_unanswered": "连接在回答之前中断。按“重试”可再次提问。",
    "page_state_ready": "就绪",
    "page_state_starting": "正在准备模型……",
    "page_state_downloading": "正在下载模型……",
    "page_state_verifying": "正在校验模型文件……",
    "page_state_loading": "正在将模型载入内存……",
    "page_state_failed": "模型无法使用",
    "page_state_restarting": "推理引擎停止响应，正在重新启动……",
    "page_state_gone": "推理引擎未运行",
    "page_state_gone_detail": "请联系服务器管理员启动它。你的对话会保留。",
    "page_state_unreachable": "无法连接服务器，正在重试……",
    "page_error": "出现问题",
    "page_sign_out": "退出登录",
    "page_signed_in": "已登录：{name}",
    "page_connection_lost": "与服务器的连接已断开，页面会自动恢复。",
    "page_progress": "{done} / {total}",
    "page_rate": "{rate}/秒",
    "page_eta": "大约还需 {time}",
    "page_seconds": "{n} 秒",
    "page_minutes": "{n} 分钟",
    "page_hours": "{h} 小时 {m} 分钟",
    "page_state_detail": "现在就可以写下问题，完成后即可得到回答。",
    "note_left_out": "较早的消息未被使用：共 {of} 条，其中 {left_out} 条超出了模型的上下文长度。",
    "note_length": "回答在 {tokens} 个 token 处被截断。如需更长的回答，请在“设置”中调高“最大生成 token 数”。",
    "note_empty": "模型给出了空的回答。请按“重试”。",
    "notice_too_long": "消息太长：共 {given} 个 token，最多允许 {limit} 个"
    "（含系统提示词，并为回答保留 {max_new_tokens} 个）。请缩短消息，或在“设置”中调低“最大生成 token 数”。",
    "error_busy": "模型正忙，同时回答的人数已达上限。请稍后按“重试”。",
    "error_rate_limited": "你在过去一分钟内发送的消息过多。{again}",
    "error_too_many_running": "你正在进行的回答已达上限（可能在其他标签页中）。"
    "请等待其中一个结束或停止一个，然后按“重试”。",
    "error_budget_spent": "你今天的 token 额度已用完，将于 UTC 零点恢复。{again}",
    "error_unavailable": "目前无法连接模型。请稍后按“重试”。",
    "error_restarting": "推理引擎停止响应，正在重新启动。顶部的提示消失后，请按“重试”。",
    "error_gone": "推理引擎未运行。请在服务器管理员启动它之后按“重试”。",
    "error_preparing": "模型尚未就绪（{state}）。顶部的进度条消失后，请按“重试”。",
    "error_model_failed": "模型准备失败，原因见顶部的提示。",
    "error_generation": "模型在回答时出错。请按“重试”。",
    "error_rejected": "模型拒绝了请求：{detail}",
    "error_cut": "回答被中断：与模型的连接丢失，已收到的内容予以保留。按“重试”可得到完整回答。",
    "error_internal": "服务器出现问题。请按“重试”。",
    "again_in": "请在 {time}后重试。",
    "again_soon": "请稍后重试。",
    "state_starting": "正在准备",
    "state_downloading": "正在下载",
    "state_verifying": "正在校验",
    "state_loading": "正在载入内存",
}

TEXTS: dict[Language, dict[str, str]] = {"en": _ENGLISH, "zh-CN": _CHINESE}


def text(language: Language, key: str, **values: object) -> str:
    """A text, with its places filled in."""
    return TEXTS[language][key].format(**values)


def again(language: Language, seconds: int | None) -> str:
    """When to try again: in so many seconds, or soon when nobody said."""
    if seconds is None:
        return text(language, "again_soon")
    return text(language, "again_in", time=_duration(language, max(1, seconds)))


def _duration(language: Language, seconds: int) -> str:
    """Seconds in a person's words, in the same steps as the page's banner, rounded up."""
    if seconds < 90:
        return text(language, "page_seconds", n=seconds)
    minutes = -(-seconds // 60)
    if minutes < 90:
        return text(language, "page_minutes", n=minutes)
    return text(language, "page_hours", h=minutes // 60, m=minutes % 60)


def page_texts() -> dict[Language, dict[str, str]]:
    """What is translated in the browser."""
    return {
        language: {key: value for key, value in texts.items() if key.startswith("page_")}
        for language, texts in TEXTS.items()
    }


def language_of(accept_language: str | None) -> Language:
    """The better liked of the two languages in an Accept-Language header; English when it names neither."""
    best: tuple[float, Language] = (0.0, "en")
    for item in (accept_language or "").split(","):
        tag, _, parameters = item.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        language: Language | None = "zh-CN" if primary == "zh" else "en" if primary == "en" else None
        quality = _quality(parameters)
        if language is not None and quality > best[0]:
            best = (quality, language)
    return best[1]


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
