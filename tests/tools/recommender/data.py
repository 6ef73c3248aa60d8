"""A small catalogue and users whose tastes are known."""

import numpy as np

from tools.recommender.facet_matrix import facet_matrix
from tools.recommender.log import Log
from tools.recommender.model import Item
from tools.recommender.signals import Catalogue

GENRES = ("Medical", "Western", "Space", "Comedy")


def films(count: int = 80) -> list[Item]:
    """Films in turn of each genre, the earlier the more popular."""
    return [
        Item(
            id=f"f{number}",
            title=f"Film {number}",
            category="movie",
            facets={"genre": (GENRES[number % len(GENRES)],), "actor": (f"Actor {number % 7}",)},
            popularity=float(1000 - number),
        )
        for number in range(count)
    ]


def tasteful_log(users: int = 120, items: int = 80, seed: int = 0) -> Log:
    """Users who like 12 films of one genre each, one in six of them from elsewhere."""
    draw = np.random.default_rng(seed)
    user, item, time = [], [], []
    for one in range(users):
        own = np.arange(one % len(GENRES), items, len(GENRES))
        liked = draw.choice(own, 12, replace=False)
        liked[::6] = draw.choice(items, len(liked[::6]), replace=False)
        for step, place in enumerate(dict.fromkeys(liked.tolist())):
            user.append(one)
            item.append(place)
            time.append(1.7e9 + one * 1000 + step)
    return Log(
        tuple(f"u{one}" for one in range(users)),
        tuple(f"f{number}" for number in range(items)),
        np.array(user, np.int32),
        np.array(item, np.int32),
        np.ones(len(user), np.bool_),
        np.array(time, np.float64),
    )


def catalogue_of_films(count: int = 80) -> Catalogue:
    """What the models need of `films`."""
    return Catalogue(facet_matrix([film.facets for film in films(count)]), np.full(count, np.nan))
