"""The words that `moodal.features.views.text` works with: English, chosen by hand.

By hand, since what stands near a word in GloVe is often its opposite. Among the nearest
words to *forget* is *remember*, to *died* *survived*, to *never* *knew*; and *small* and
*large* are nearer to each other (cosine .97 in 50 dimensions) than *garbage* and *trash*
(.95), so that no bound tells equals from opposites.
"""

from __future__ import annotations

import re


def _words(table: str) -> list[str]:
    return table.split()


NEGATIONS = frozenset(
    _words(
        """
    ain't arent barely cannot cant couldnt didnt doesnt dont except hadnt hardly hasnt havent
    isnt nah neither never no nobody none nope nor not nothing nowhere rarely scarcely seldom
    shouldnt unless wasnt werent without wont wouldnt
    """
    )
)
"""Beside these every word that ends in n't."""

DEGREES = frozenset(
    _words(
        """
    almost could enough few fewer if instead least less little may might must nearly only quit
    rather should stop stopped supposed too used would
    """
    )
)
"""Words that say how much of something is so, or whether it is: left where they are."""

_BEGINNINGS = _words(
    """
    abandon accept accus admir ador afraid aggravat aggress agony alarm alone amaz amus anger
    angr anguish annoy anxi apath appall appreciat asham asshole astonish astound atroc attract
    awesome awful awkward bastard beaut belov better bitch bitter blame bless blood bored boring
    brave brillian broke brutal brute bullshit bully burden celebrat charm cheat cheer cherish
    comfort compassion complain conceited confiden confus congrat contempt content coward crazy
    creep cried cries cruel crush curious curse darling death deceit deceiv defeat delicious
    delight depress despair desperat despis destroy devast disagree disappoint disast discourag
    disgrac disgust dislik dismay distress disturb doubt dread drunk dying eager ecstat elated
    embarrass enjoy enrag enthus excel excit exhaust fabulous failed failing failure fantastic
    fascinat favor favour forgav forgiv freak fright frustrat furious generous gentle gloom
    goddamn goodness gorgeous grateful greed grief griev gross guilt happi happy harm hatred
    heart heaven hesita hideous honest honour horr hostil humiliat hurt idiot impatien impress
    incredib infuriat insane insuffer insult interest irritat jealous laugh loath lonel longing
    losing loving lucky magnificent marvel mercy merry miserabl misery mistake moron mourn moved
    moving nasty nervous nightmare nonsense optimis outrag overjoy overwhelm painful panic
    passion patheti peace perfect pessim pitiful please pleasure positiv praise precious pretty
    pride problem proud punish refus regret rejoic relax relief reliev remorse resent respect
    ridiculous romantic rotten ruin sadis satisf scare scary scream selfish serious shame shock
    silly sincer smart smile smiling sorrow sorry special splendid startl stink strange stress
    stunn stupid suffer surpris suspic sweet sympath tears tease tender tense terribl terrif
    terror thank threat thrill tired torment tortur tough tragedy tragic trouble trust unbeliev
    uncomfort unfair unfortun unhapp upset vicious victim violen waste weird welcome wicked
    winner wonder worried worry worse worst worth wrong
    """
)
_WHOLE = _words(
    """
    alas bad best bore bother calm care cool crap cry cute damn danger dead dear die doom dull
    dumb dump easy empty envy evil fail fair fake fault fear fed feel felt fight fine fond fool
    free fuck fun fury glad good grace grand great hard hate hell hero hope hug ill jerk joke
    joy keen kid kill kind kiss lack lie like lone lose loss lost lous love luck mad mean mess
    mild miss nerv nice ok okay pain piss pity pleas poor rage right rot rude sad safe sake
    screw shit shut shy sick smug sob sore stop stuck suck super tear tire trap ugly vile warm
    weak win wish won wow yay yeah yell yep yes
    """
)
_ENDINGS = "s|es|d|ed|er|r|est|st|ing|ly|y|ier|iest|ily|ies|n|en|ness|ful|fully|less|able"

FEELING = re.compile(
    "|".join(
        [f"(?:{'|'.join(_BEGINNINGS)}).*"]
        + [f"{word}|{word.removesuffix('e')}{word[-1]}?(?:{_ENDINGS})" for word in _WHOLE]
    )
)
"""Matches a lower-case word that may carry a feeling or a judgement, and some that do not."""

_GROUPS = """
    afterwards later
    anybody anyone
    anyhow anyway
    automobile car auto
    baggage luggage
    bathroom restroom
    because > since 'cause
    begin start
    begins starts
    beginning starting
    began started
    bike bicycle
    boat ship
    bought purchased
    buy purchase
    coast shore
    college university
    completely totally entirely utterly
    couch sofa
    dad father daddy
    doctor physician
    everybody everyone
    exactly precisely
    film movie
    films movies
    finally eventually
    garbage trash rubbish
    gonna going_to
    gotta have_to
    guess suppose
    guy fellow
    guys fellows
    happen occur
    happened occurred
    happens occurs
    hello hi hey
    huge enormous
    immediately > at_once
    journey trip
    lady woman
    lots plenty
    maybe perhaps possibly
    mom mother mum
    moment minute
    money cash
    obviously clearly
    often frequently
    oh ah
    parcel package
    person individual
    phone telephone
    photo picture photograph
    photos pictures photographs
    plane airplane
    quick fast
    quickly rapidly
    realise realize
    remain stay
    remained stayed
    road street
    sea ocean
    seat chair
    shop store
    shops stores
    somebody someone
    someplace somewhere
    sometimes occasionally
    soon shortly
    story tale
    stuff things
    supper dinner
    supervisor manager
    talk speak
    talking speaking
    talked spoke
    taxi cab
    television tv
    though although
    till until
    town city
    tried attempted
    trousers pants
    try attempt
    trying attempting
    um uh er
    umm uhh
    usually normally
    vacation holiday
    wanna want_to
    whole entire
    woods forest
"""

_CONTRACTIONS = """
    i'm > i_am
    you're > you_are
    we're > we_are
    they're > they_are
    i've > i_have
    you've > you_have
    we've > we_have
    they've > they_have
    i'll > i_will
    you'll > you_will
    he'll > he_will
    she'll > she_will
    it'll > it_will
    we'll > we_will
    they'll > they_will
    can't > cannot
    don't > do_not
    doesn't > does_not
    didn't > did_not
    won't > will_not
    wouldn't > would_not
    couldn't > could_not
    shouldn't > should_not
    isn't > is_not
    aren't > are_not
    wasn't > was_not
    weren't > were_not
    haven't > have_not
    hasn't > has_not
    hadn't > had_not
"""


def _equals(table: str) -> dict[str, tuple[str, ...]]:
    """Word -> what may stand for it: the rest of its line, or what follows ``>``.

    ``_`` is a space within a phrase, for which nothing stands.
    """
    equals: dict[str, tuple[str, ...]] = {}
    for line in table.strip().splitlines():
        first, one_way, rest = line.partition(">")
        group = [word.replace("_", " ") for word in f"{first} {rest}".split()]
        for word in first.split() if one_way else group:
            if " " not in word:
                equals[word] = tuple(w for w in group if w != word)
    return equals


EQUALS = _equals(_GROUPS)
"""Word -> words and phrases that say the same, in most sentences; none carries a feeling."""

CONTRACTIONS = _equals(_CONTRACTIONS)
"""Contraction -> the same in full; the negation stays in both."""
