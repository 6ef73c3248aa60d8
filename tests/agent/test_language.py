"""Which language a text is in: told when its words tell, and not guessed."""

import pytest

from agent.language import LANGUAGES, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wie bekomme ich mein Geld zurück?", "de"),
        ("was ist escrow", "de"),
        ("Comment fonctionne escrow ?", "fr"),
        ("¿Cómo puedo cambiar mi contraseña?", "es"),
        ("Come posso cambiare la password?", "it"),
        ("Como faço para mudar a minha senha?", "pt"),
        ("Hoe krijg ik mijn geld terug?", "nl"),
        ("Где мои деньги?", "other"),
        ("パスワードを忘れた", "other"),
        ("How do I reset my password?", "en"),
        ("What does à la carte mean?", "en"),
        ("Can I pay in Brazil or in Germany?", "en"),
    ],
)
def test_the_language_of_a_question(text: str, language: str):
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "429", "2FA reset", "E-4001", "reset password", "API rate limit"])
def test_what_does_not_tell_is_not_guessed(text: str):
    assert language_of(text) is None


def test_what_is_said_in_each_language_is_of_that_language():
    for key, language in LANGUAGES.items():
        for said in (language.answered, language.unanswered):
            assert "{documents}" in said
            assert language_of(said) == ("en" if key == "other" else key)
