"""The page's icons, as inline SVG: 24 units square, drawn in the colour of the text beside them."""


def _icon(*paths: str) -> str:
    lines = "".join(f'<path d="{path}"/>' for path in paths)
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{lines}</svg>'


COPY = _icon("M9 9h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1z", "M5 15H4V4a1 1 0 0 1 1-1h10v1")
LIKE = _icon("M7 11v9H4v-9z", "M7 11l4-8a2.5 2.5 0 0 1 2.5 2.8L13 9h5.6a2 2 0 0 1 2 2.3l-1.2 7a2 2 0 0 1-2 1.7H7")
DISLIKE = _icon("M7 13V4H4v9z", "M7 13l4 8a2.5 2.5 0 0 0 2.5-2.8L13 15h5.6a2 2 0 0 0 2-2.3l-1.2-7a2 2 0 0 0-2-1.7H7")
RETRY = _icon("M20 11a8 8 0 1 0-2.3 6.2", "M20 4v7h-7")
EDIT = _icon("M4 20h4L19 9l-4-4L4 16z", "M13.5 6.5l4 4")
NEXT = _icon("M9 6l6 6-6 6")
DOWN = _icon("M12 5v14", "M6 13l6 6 6-6")
DONE = _icon("M5 12.5l4.5 4.5L19 7.5")
CROSS = _icon("M6 6l12 12", "M18 6L6 18")
OUT = _icon("M14 4h6v6", "M20 4l-9 9", "M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5")
INFO = _icon("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 11v5", "M12 8v.01")
UNSURE = _icon(
    "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z",
    "M16 16l5 5",
    "M9.2 9.2a1.9 1.9 0 1 1 2.6 1.9c-.5.2-.8.6-.8 1.1",
    "M11 14.6v.01",
)
ALERT = _icon("M12 4l9 16H3z", "M12 10v4", "M12 17v.01")
MENU = _icon("M4 7h16", "M4 12h16", "M4 17h10")
PLUS = _icon("M12 5v14", "M5 12h14")
DELETE = _icon("M5 7h14", "M10 7V4h4v3", "M7 7l1 13h8l1-13", "M10 11v5", "M14 11v5")
BOOK = _icon("M5 5a2 2 0 0 1 2-2h12v15H7a2 2 0 0 0-2 2z", "M5 20a1.5 1.5 0 0 0 2 1h12v-3")
PERSON = _icon("M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0")
NOTE = _icon("M6 4h9l4 4v12H6z", "M9.5 12.5h6", "M9.5 16h4")
MUTE = _icon("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M5.7 5.7l12.6 12.6")
SAVE = _icon("M7 4h10v16l-5-4-5 4z")
STAR = _icon("M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z")
BACK = _icon("M15 6l-6 6 6 6")
SAVE_FILE = _icon("M12 4v11", "M7.5 11l4.5 4.5 4.5-4.5", "M5 20h14")
SETTINGS = _icon("M4 7h9", "M17 7h3", "M4 17h3", "M11 17h9", "M15 5v4", "M9 15v4")
# The mark beside the product's name: a speech bubble with lines of text, one of them cited.
MARK = (
    '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">'
    '<rect width="32" height="32" rx="9"/>'
    '<path d="M9 8.5h14a2.5 2.5 0 0 1 2.5 2.5v8a2.5 2.5 0 0 1-2.5 2.5h-6.2L12 25.4v-3.9H9'
    'A2.5 2.5 0 0 1 6.5 19v-8A2.5 2.5 0 0 1 9 8.5z"/>'
    '<path d="M11 13.2h7M11 16.9h4.4"/><circle cx="21" cy="15" r="1.9"/></svg>'
)
