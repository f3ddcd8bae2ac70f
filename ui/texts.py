"""What the page says, in each of its languages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Texts:
    """The page's words; ``{name}`` marks what is filled in.

    A pair of texts is for one and for several.
    """

    language: str
    decimal: str
    tagline: str
    pictures: tuple[str, str]
    skip: str
    search: str
    query: str
    query_more: str
    query_hint: str
    refine: str
    negative: str
    negative_hint: str
    count: str
    any: str
    at_least: str
    at_most: str
    filters_later: str
    upload: str
    upload_label: str
    upload_hint: str
    upload_limits: str
    speak: str
    listening: str
    unheard: str
    not_a_recording: str
    speech_trouble: str
    searching: str
    start: str
    start_negative: str
    examples: tuple[str, ...]
    found: tuple[str, str]
    found_of: str
    more: str
    more_came: tuple[str, str]
    for_query: str
    for_like: str
    for_both: str
    for_upload: str
    without: str
    chosen: str
    yours: str
    weaker: tuple[str, str]
    weaker_folded: tuple[str, str]
    weaker_hint: str
    none_close: str
    read: str
    none: str
    none_hint: str
    none_filter: str
    drop_filter: str
    drop_like: str
    drop_upload: str
    like: str
    like_this: str
    similarity: str
    details: str
    larger: str
    previous: str
    next: str
    close: str
    n_of_all: str
    copy_path: str
    path_copied: str
    download: str
    text_within: str
    full_size: str
    only: str
    picture: str
    picture_of: str
    link: str
    copied: str
    how: str
    how_model: str
    how_index: str
    how_total: str
    how_scale: str
    how_weaker: str
    steps: tuple[tuple[str, str], ...]
    again: str
    down: str
    down_hint: str
    slow: str
    slow_hint: str
    busy: str
    busy_hint: tuple[str, str]
    refused: str
    refused_hint: str
    locked: str
    locked_hint: str
    failed: str
    failed_hint: str
    like_gone: str
    not_a_picture: str

    def number(self, value: float, decimals: int = 2) -> str:
        """A number as it is written in this language."""
        return f"{value:.{decimals}f}".replace(".", self.decimal)

    def some(self, texts: tuple[str, str], number: int) -> str:
        """The form of a text that goes with a number, filled in."""
        return texts[number != 1].format(n=number)


ENGLISH = Texts(
    language="en",
    decimal=".",
    tagline="Find pictures by describing them.",
    pictures=("One picture to search.", "{n} pictures to search."),
    skip="Skip to the results",
    search="Search",
    query="What should the picture show?",
    query_more="What else should it show?",
    query_hint="a red fox in the snow",
    refine="Refine",
    negative="Not like…",
    negative_hint="a drawing",
    count="How many pictures",
    any="any",
    at_least="{field} from",
    at_most="{field} up to",
    filters_later="Filters appear here once pictures have been found.",
    upload="Search with a picture",
    upload_label="A picture of yours",
    upload_hint="Choose it, drop it here, or paste it anywhere on the page.",
    upload_limits="“Not like…” and filters do not apply to a search with your own picture.",
    speak="Say what the picture should show",
    listening="Writing down what you said…",
    unheard="Nothing was heard. Speak a little longer or louder, or type instead.",
    not_a_recording="The recording could not be understood: at most 30 seconds of speech, please.",
    speech_trouble="What you said could not be written down. Try again, or type instead.",
    searching="Searching…",
    start="Describe a picture in your own words and press Enter. For example:",
    start_negative="Say what the picture should show: “{negative}” is only left out of that.",
    examples=("a guitar", "a red car", "something to eat", "a house by a tree"),
    found=("1 picture", "{n} pictures"),
    found_of="{n} of {all} pictures",
    more="Show more",
    more_came=("1 more picture", "{n} more pictures"),
    for_query=" for “{text}”",
    for_like=" like “{like}”",
    for_both=" like “{like}” and “{text}”",
    for_upload=" like your picture “{name}”",
    without=", not like “{negative}”",
    chosen="the chosen picture",
    yours="Your picture {name}",
    weaker=("1 weaker match", "{n} weaker matches"),
    weaker_folded=(". 1 weaker match is folded away.", ". {n} weaker matches are folded away."),
    weaker_hint="These come nearest, but none comes close. Other words may do better.",
    none_close="No close match",
    read="Read aloud",
    none="No picture found",
    none_hint="Try other words, or fewer of them.",
    none_filter="No picture meets the filter: {filter}.",
    drop_filter="Search without the filter",
    drop_like="Forget this picture",
    drop_upload="Forget your picture",
    like="More like this",
    like_this="More like this: {alt}",
    similarity="similarity",
    details="Details",
    text_within="Text in the picture",
    larger="Look at it larger",
    previous="Previous picture",
    next="Next picture",
    close="Close",
    n_of_all="{n} of {all}",
    copy_path="Copy the path",
    path_copied="The path is copied",
    download="Download",
    full_size="Open in a new tab",
    only="Only pictures with {field} {value}",
    picture="A picture without a description",
    picture_of="A picture: {alt}",
    link="Copy the link to this search",
    copied="The link is copied",
    how="How these were found",
    how_model="Model",
    how_index="Index",
    how_total="From the page to the service and back: {ms} ms.",
    how_scale="Similarity is the cosine between what you asked for and a picture, as the model "
    "sees them. What counts as high differs from model to model, so the bars are drawn against "
    "the best picture found.",
    how_weaker="Pictures that clearly fall behind the best are folded away as weaker matches.",
    steps=(
        ("tokenize", "reading the words"),
        ("queue", "waiting for a turn"),
        ("encode", "understanding them"),
        ("search", "comparing pictures"),
    ),
    again="Try again",
    down="The search service does not answer.",
    down_hint="It may be starting or have stopped. Your search is kept: try again in a moment. "
    "If it stays like this, tell whoever runs this page that the search service is gone.",
    slow="The search service takes too long.",
    slow_hint="It is there, but had not answered after 15 seconds. Your search is kept: try again.",
    busy="Too many people are searching at this moment.",
    busy_hint=(
        "Your search is kept: try again in a second.",
        "Your search is kept: try again in {n} seconds.",
    ),
    refused="The service could not make sense of this search.",
    refused_hint="It says: {message}",
    locked="This page is not allowed to use the search service.",
    locked_hint="Whoever runs the page has to set SIGHTLINE_API_KEY to the service’s key.",
    failed="The search service failed.",
    failed_hint="Your search is kept: try again. If it fails again, the service’s log says why.",
    like_gone="The picture to compare with is no longer there. Describe what you look for instead.",
    not_a_picture="The file could not be read as a picture. Choose a JPEG, PNG, WebP or GIF.",
)

GERMAN = Texts(
    language="de",
    decimal=",",
    tagline="Bilder finden, indem man sie beschreibt.",
    pictures=("Ein Bild zum Durchsuchen.", "{n} Bilder zum Durchsuchen."),
    skip="Zu den Ergebnissen springen",
    search="Suchen",
    query="Was soll auf dem Bild zu sehen sein?",
    query_more="Was soll noch zu sehen sein?",
    query_hint="ein roter Fuchs im Schnee",
    refine="Verfeinern",
    negative="Nicht wie …",
    negative_hint="eine Zeichnung",
    count="Anzahl der Bilder",
    any="beliebig",
    at_least="{field} ab",
    at_most="{field} bis",
    filters_later="Filter erscheinen hier, sobald Bilder gefunden wurden.",
    upload="Mit einem Bild suchen",
    upload_label="Ein eigenes Bild",
    upload_hint="Auswählen, hierher ziehen oder irgendwo auf der Seite einfügen.",
    upload_limits="„Nicht wie …“ und Filter gelten nicht für die Suche mit einem eigenen Bild.",
    speak="Sagen, was auf dem Bild zu sehen sein soll",
    listening="Das Gesagte wird aufgeschrieben …",
    unheard="Es war nichts zu hören. Sprechen Sie etwas länger oder lauter, oder tippen Sie.",
    not_a_recording="Die Aufnahme war nicht zu verstehen: bitte höchstens 30 Sekunden Sprache.",
    speech_trouble="Das Gesagte ließ sich nicht aufschreiben. Versuchen Sie es noch einmal, oder "
    "tippen Sie.",
    searching="Suche läuft …",
    start="Beschreiben Sie ein Bild mit eigenen Worten und drücken Sie die Eingabetaste. "
    "Zum Beispiel (das Modell versteht meist Englisch am besten):",
    start_negative="Was soll das Bild zeigen? „{negative}“ wird davon nur abgezogen.",
    examples=("a guitar", "a red car", "something to eat", "a house by a tree"),
    found=("1 Bild", "{n} Bilder"),
    found_of="{n} von {all} Bildern",
    more="Mehr zeigen",
    more_came=("1 weiteres Bild", "{n} weitere Bilder"),
    for_query=" zu „{text}“",
    for_like=" ähnlich wie „{like}“",
    for_both=" ähnlich wie „{like}“ und zu „{text}“",
    for_upload=" ähnlich wie Ihr Bild „{name}“",
    without=", nicht wie „{negative}“",
    chosen="das gewählte Bild",
    yours="Ihr Bild {name}",
    weaker=("1 schwächerer Treffer", "{n} schwächere Treffer"),
    weaker_folded=(
        ". 1 schwächerer Treffer ist eingeklappt.",
        ". {n} schwächere Treffer sind eingeklappt.",
    ),
    weaker_hint="Diese kommen am nächsten, aber keines kommt nahe. Andere Wörter finden "
    "vielleicht mehr.",
    none_close="Nichts Passendes",
    read="Vorlesen",
    none="Kein Bild gefunden",
    none_hint="Versuchen Sie es mit anderen oder weniger Wörtern.",
    none_filter="Kein Bild erfüllt den Filter: {filter}.",
    drop_filter="Ohne den Filter suchen",
    drop_like="Dieses Bild vergessen",
    drop_upload="Das eigene Bild vergessen",
    like="Ähnliche Bilder",
    like_this="Ähnliche Bilder: {alt}",
    similarity="Ähnlichkeit",
    details="Angaben",
    text_within="Text im Bild",
    larger="Größer ansehen",
    previous="Voriges Bild",
    next="Nächstes Bild",
    close="Schließen",
    n_of_all="{n} von {all}",
    copy_path="Pfad kopieren",
    path_copied="Der Pfad ist kopiert",
    download="Herunterladen",
    full_size="In einem neuen Tab öffnen",
    only="Nur Bilder mit {field} {value}",
    picture="Ein Bild ohne Beschreibung",
    picture_of="Ein Bild: {alt}",
    link="Link zu dieser Suche kopieren",
    copied="Der Link ist kopiert",
    how="Wie diese gefunden wurden",
    how_model="Modell",
    how_index="Index",
    how_total="Von der Seite zum Dienst und zurück: {ms} ms.",
    how_scale="Ähnlichkeit ist der Kosinus zwischen Ihrer Frage und einem Bild, so wie das Modell "
    "beide sieht. Was hoch ist, hängt vom Modell ab; die Balken beziehen sich deshalb auf das "
    "beste gefundene Bild.",
    how_weaker="Bilder, die deutlich hinter den besten zurückbleiben, werden als schwächere "
    "Treffer eingeklappt.",
    steps=(
        ("tokenize", "Wörter lesen"),
        ("queue", "anstehen"),
        ("encode", "verstehen"),
        ("search", "Bilder vergleichen"),
    ),
    again="Noch einmal versuchen",
    down="Der Suchdienst antwortet nicht.",
    down_hint="Vielleicht startet er gerade oder wurde beendet. Ihre Suche bleibt erhalten: "
    "Versuchen Sie es gleich noch einmal. Bleibt es dabei, sagen Sie dem Betreiber dieser "
    "Seite, dass der Suchdienst fehlt.",
    slow="Der Suchdienst braucht zu lange.",
    slow_hint="Er ist da, hat aber nach 15 Sekunden nicht geantwortet. Ihre Suche bleibt "
    "erhalten: Versuchen Sie es noch einmal.",
    busy="Im Moment suchen zu viele Menschen gleichzeitig.",
    busy_hint=(
        "Ihre Suche bleibt erhalten: Versuchen Sie es in einer Sekunde noch einmal.",
        "Ihre Suche bleibt erhalten: Versuchen Sie es in {n} Sekunden noch einmal.",
    ),
    refused="Der Dienst konnte mit dieser Suche nichts anfangen.",
    refused_hint="Er sagt: {message}",
    locked="Diese Seite darf den Suchdienst nicht benutzen.",
    locked_hint="Der Betreiber der Seite muss SIGHTLINE_API_KEY auf den Schlüssel des Dienstes "
    "setzen.",
    failed="Der Suchdienst ist gescheitert.",
    failed_hint="Ihre Suche bleibt erhalten: Versuchen Sie es noch einmal. Scheitert er wieder, "
    "steht der Grund in seinem Protokoll.",
    like_gone="Das Vergleichsbild gibt es nicht mehr. Beschreiben Sie stattdessen, was Sie suchen.",
    not_a_picture="Die Datei ließ sich nicht als Bild lesen. Wählen Sie JPEG, PNG, WebP oder GIF.",
)

_LANGUAGES = {texts.language: texts for texts in (ENGLISH, GERMAN)}


def texts_for(preferred: Iterable[str]) -> Texts:
    """The texts in the first language of ``preferred`` (``de-AT``, ``en``) that there is."""
    for tag in preferred:
        if texts := _LANGUAGES.get(tag.split("-")[0].strip().lower()):
            return texts
    return ENGLISH


def accepted_languages(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, the most wanted first."""
    weighed = []
    for entry in header.split(","):
        tag, _, parameter = entry.partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            weight = 0.0
        if tag.strip() and weight > 0:
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda entry: -entry[0])]
