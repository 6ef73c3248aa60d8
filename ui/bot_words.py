"""What the bots of all chat platforms say alike."""

NOTHING_ASKED = "Ask me something, and I'll look it up in the documents."
IN_PRIVATE = "I have answered you in a direct message."
NOT_YOURS = "Only the person who asked can rate this answer."
THANKS = "Thank you, noted."
NOT_USED = "Noted: that is no longer used."
