"""The page's colours and type, for Gradio's own parts; static/page.css takes them from here, as variables."""

import gradio as gr

# Fern green on warm paper; by night the same green, lighter, on a dark that leans to it.
LIGHT = {
    "paper": "#fbfaf7",
    "panel": "#f3f1eb",
    "card": "#ffffff",
    "line": "#e3dfd5",
    "strong-line": "#8b8f86",
    "ink": "#1d2420",
    "soft-ink": "#57605a",
    "accent": "#1f6b50",
    "accent-strong": "#17543e",
    "on-accent": "#ffffff",
    "tint": "#e4efe8",
    "tint-strong": "#cfe3d7",
    "mark": "#f9e7a8",
    "on-mark": "#2b2408",
    "doubt": "#fbf1dc",
    "doubt-line": "#d9a441",
    "on-doubt": "#6a4608",
    "alarm": "#fcebe8",
    "alarm-line": "#d4756a",
    "on-alarm": "#8a1f14",
    "shadow": "0 1px 2px rgb(29 36 32 / 5%), 0 8px 24px rgb(29 36 32 / 6%)",
}
DARK = {
    "paper": "#141816",
    "panel": "#0f1311",
    "card": "#1b211e",
    "line": "#2b332f",
    "strong-line": "#717c76",
    "ink": "#e7ece8",
    "soft-ink": "#a3aea7",
    "accent": "#79c9a7",
    "accent-strong": "#9adbbf",
    "on-accent": "#0c1f17",
    "tint": "#1d3029",
    "tint-strong": "#28443a",
    "mark": "#5a4b12",
    "on-mark": "#fdf3cd",
    "doubt": "#2d2513",
    "doubt-line": "#8f6b1f",
    "on-doubt": "#f1cf87",
    "alarm": "#351b18",
    "alarm-line": "#9c4a41",
    "on-alarm": "#f5b5ad",
    "shadow": "0 1px 2px rgb(0 0 0 / 40%), 0 8px 24px rgb(0 0 0 / 30%)",
}
FONT = [
    "ui-sans-serif",
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Helvetica Neue",
    "sans-serif",
]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace"]


def variables_css() -> str:
    """The palette as CSS variables, for both modes."""
    light = "".join(f"--a-{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--a-{name}:{value};" for name, value in DARK.items())
    return f":root{{color-scheme:light;{light}}}.dark{{color-scheme:dark;{dark}}}"


def theme() -> gr.themes.Base:
    """The theme of Gradio's parts. Fonts are the system's: none is loaded."""
    both = {
        "body_background_fill": "paper",
        "body_text_color": "ink",
        "body_text_color_subdued": "soft-ink",
        "background_fill_primary": "paper",
        "background_fill_secondary": "panel",
        "border_color_primary": "line",
        "color_accent_soft": "tint",
        "link_text_color": "accent",
        "input_background_fill": "card",
        "input_background_fill_focus": "card",
        "input_placeholder_color": "soft-ink",
        "button_primary_background_fill": "accent",
        "button_primary_background_fill_hover": "accent-strong",
        "button_primary_text_color": "on-accent",
        "button_secondary_background_fill": "card",
        "button_secondary_background_fill_hover": "tint",
        "button_secondary_text_color": "ink",
        "error_background_fill": "alarm",
        "error_border_color": "alarm-line",
        "error_text_color": "on-alarm",
    }
    values = {name: LIGHT[colour] for name, colour in both.items()}
    values |= {f"{name}_dark": DARK[colour] for name, colour in both.items()}
    return gr.themes.Base(primary_hue="green", neutral_hue="stone", font=FONT, font_mono=MONO).set(
        **values, block_border_width="0px", block_shadow="none", block_background_fill="transparent", layout_gap="0px"
    )
