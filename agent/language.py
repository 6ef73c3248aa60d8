"""Which language a text is written in, told by its most frequent words, and what is said to whom the documents don't
speak to: an extractive answer cannot be translated."""

import re
from collections import Counter
from dataclasses import dataclass

from knowledge_base.stopwords import STOP_WORDS

LEAST = 1.2  # words, each shared by those languages that have it, from which a language is told
_WORD = re.compile(r"[^\W\d_]+")
_OTHER_LETTERS = re.compile(r"[\u0370-\u1dff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # Greek, Russian, Chinese…
ENGLISH, OTHER = "en", "other"
ANSWERED = "The documents are written in another language ({documents}); this is what they say:"
UNANSWERED = (
    "The documents are written in another language ({documents}), and I found nothing certain on this. Please ask in "
    "that language."
)


@dataclass(frozen=True, slots=True)
class Language:
    """How a language is told, and what is said in it; `{documents}` is the name of the documents' language."""

    name: str
    words: frozenset[str]
    answered: str
    unanswered: str


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGES = {
    "de": Language(
        "Deutsch",
        _words(
            "der die das den dem des ein eine einen einem einer und oder aber nicht kein keine ist sind war wird "
            "werden ich du er sie wir ihr mich mir mein meine meinen sich es mit von zu zum zur auf für im am bei "
            "nach aus über wie was wann wo warum wer welche welcher kann könnte können muss soll habe hat haben "
            "bekomme mache geht gibt wenn dass auch noch nur bitte hallo danke konto passwort rechnung geld zurück "
            "ändern"
        ),
        "Die Dokumente sind in einer anderen Sprache geschrieben ({documents}); dazu steht dort:",
        "Die Dokumente sind in einer anderen Sprache geschrieben ({documents}), und zu dieser Frage habe ich nichts "
        "Sicheres gefunden. Bitte stellen Sie die Frage in dieser Sprache.",
    ),
    "fr": Language(
        "français",
        _words(
            "le la les un une des du de et ou mais ne pas est sont être je tu il elle nous vous ils mon ma mes votre "
            "vos ce cette ces que qui quoi quand où pourquoi comment combien quel quelle quels avec pour par sur dans "
            "en au aux peux peut puis faire fait ai avez a j'ai plus bonjour merci fonctionne compte facture argent "
            "mot passe changer"
        ),
        "Les documents sont écrits dans une autre langue ({documents}) ; voici ce qu'ils en disent :",
        "Les documents sont écrits dans une autre langue ({documents}), et je n'y ai rien trouvé de sûr sur cette "
        "question. Veuillez la poser dans cette langue.",
    ),
    "es": Language(
        "español",
        _words(
            "el la los las un una unos de del y o pero no es son está estoy ser yo tú usted nosotros mi mis su sus que "
            "qué quién cuándo dónde cómo cuánto cuál por para con sin en al se me te lo le puedo puede hacer tengo "
            "tiene hay más como cuando donde cuanto hola gracias cuenta contraseña factura dinero cambiar"
        ),
        "Los documentos están escritos en otro idioma ({documents}); esto es lo que dicen:",
        "Los documentos están escritos en otro idioma ({documents}) y no he encontrado nada seguro sobre esta "
        "pregunta. Por favor, hágala en ese idioma.",
    ),
    "it": Language(
        "italiano",
        _words(
            "il lo la i gli le un uno una di del della dei e o ma non è sono essere io tu lei noi voi mio mia miei suo "
            "che chi cosa quando dove come perché quanto quale con per su in al alla da si mi ti posso può fare ho ha "
            "hai più ciao grazie conto fattura soldi cambiare funziona"
        ),
        "I documenti sono scritti in un'altra lingua ({documents}); ecco che cosa dicono:",
        "I documenti sono scritti in un'altra lingua ({documents}) e su questa domanda non ho trovato nulla di certo. "
        "Per favore, ponila in quella lingua.",
    ),
    "pt": Language(
        "português",
        _words(
            "o a os as um uma de do da dos das e ou mas não é são está estou ser eu tu você nós meu minha meus seu sua "
            "que quem quando onde como quanto qual por para com sem em no na ao se me posso pode fazer tenho tem há "
            "mais olá obrigado obrigada conta senha fatura dinheiro alterar mudar funciona"
        ),
        "Os documentos estão escritos noutra língua ({documents}); eis o que dizem:",
        "Os documentos estão escritos noutra língua ({documents}) e não encontrei nada de seguro sobre esta pergunta. "
        "Por favor, faça-a nessa língua.",
    ),
    "nl": Language(
        "Nederlands",
        _words(
            "de het een en of maar niet geen is zijn was wordt worden ik jij je hij zij we wij jullie mij mijn uw zich "
            "met van te voor op aan bij naar uit over hoe wat wanneer waar waarom wie welke kan kunnen moet heb heeft "
            "hebben krijg maak gaat als dat dit ook nog alleen alstublieft hallo bedankt rekening wachtwoord factuur "
            "geld terug wijzigen werkt"
        ),
        "De documenten zijn in een andere taal geschreven ({documents}); dit staat erin:",
        "De documenten zijn in een andere taal geschreven ({documents}), en over deze vraag heb ik niets zekers "
        "gevonden. Stel de vraag in die taal.",
    ),
    OTHER: Language("another language", frozenset(), ANSWERED, UNANSWERED),
    ENGLISH: Language("English", STOP_WORDS, ANSWERED, UNANSWERED),
}
_SHARED = Counter(word for language in LANGUAGES.values() for word in language.words)


def language_of(text: str) -> str | None:
    """The key of the language in LANGUAGES that a text is written in; None where its words don't tell."""
    if len(_OTHER_LETTERS.findall(text)) > sum(map(str.isalpha, text)) / 2:
        return OTHER
    counts = Counter(_WORD.findall(text.lower()))
    hits = {
        key: sum(count / _SHARED[word] for word, count in counts.items() if word in language.words)
        for key, language in LANGUAGES.items()
    }
    second, first = sorted(hits, key=hits.__getitem__)[-2:]
    return first if hits[first] >= LEAST and hits[first] > hits[second] else None
