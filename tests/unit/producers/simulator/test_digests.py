"""What the simulator sends is, byte for byte, what it always sent: digests made before driver and car were taken apart.

A digest changes only when a change of what is sent was wanted. Run as a module this prints them anew, with ``--exact``
to the last bit of floats that are sent unrounded.
"""

from __future__ import annotations

import sys

import pytest

from tests.unit.producers.simulator.digests import digest_of, numerics

_CAR_FAULTS = (
    "--car-fault kerb_strike:900:40:1:2 --car-fault dragging_brake:0:2:2 "
    "--car-fault over_rev:0:1200:3:1 --car-fault missed_downshift:600:2:4:2"
)

CASES: dict[str, tuple[str, str]] = {
    "laps": (
        "--cars 2 --laps 2 --track harbour-mile",
        "2c8240013b175b718e841ee7e4e15b2d6bc67dd2a5de8f97e7f3adb27964a52e",
    ),
    "laps_no_race": (
        "--cars 3 --laps 2 --track harbour-mile --no-race --seed 4",
        "b5579da0bdfc235913e837a7750fbdac0360617f0dbc8caef7ca55bda1a32249",
    ),
    "laps_no_faults": (
        "--cars 2 --laps 2 --track harbour-mile --no-data-faults --seed 1",
        "28fe419987e2b374d76a51931ef86151c7a7d85b0d2fea9e67289a569ccb72b1",
    ),
    "laps_fast": (
        "--cars 2 --laps 1 --rate 50 --seed 2",
        "a29402d997e2f6c1ae5595e9b818930ec97f50d679632cbe123e05c4b82678b2",
    ),
    "laps_truth": (
        "--cars 2 --laps 2 --truth --setups varied --seed 3 --rate 12.5",
        "d19c720f7e75e54cb60003213c540e3f35e17f764640b1316c3160b83084c19b",
    ),
    "duration": (
        "--cars 3 --duration 45 --seed 7",
        "099adca2b0344b02e83d444d261082fcf49319b351da29d326d4763b72853373",
    ),
    "duration_short": (
        "--cars 1 --duration 0.4 --no-faults",
        "bc872d143382e05fe7d509f08851ec13f80a6b0e2a8df783b04882c57dd9c780",
    ),
    "duration_laps": (
        "--cars 4 --duration 130.5 --track harbour-mile --rate 20 --seed 8",
        "8c5b8b6f7718bdbaa5f8e3287c7e8260566988d45c7f9429b95583e369ca0bef",
    ),
    "duration_truth": (
        "--cars 3 --duration 130 --track harbour-mile --rate 11 --truth --setups varied --seed 9",
        "ae8383d0667ce77684b459734e469a10bf44f99af3782ca92332b9f7fb9211cc",
    ),
    "race": (
        "--cars 8 --laps 6 --track harbour-mile --rate 10 --seed 11",
        "1a7a65f493baf138f2c0a0d8767ab95f6aeb82652502e7cc359b5cd2174aa1ae",
    ),
    "race_stops": (
        "--cars 12 --laps 4 --incidents --track harbour-mile --rate 10 --seed 12 --truth",
        "0cddc8f0cbb8f66085f58791789b167610ca1431b0e5ec833fb847e88282f9a0",
    ),
    "race_no_faults": (
        "--cars 6 --laps 4 --incidents --track harbour-mile --rate 25 --no-faults --seed 13",
        "bc2cae6a54271534932054c79b4212daa31073a04acb5b396d5398435c263cdd",
    ),
    "race_without_incidents": (
        "--cars 3 --laps 6 --no-incidents --track harbour-mile --rate 10 --seed 14",
        "db2064e7dfa3841404115a16fb8820b8e350e912f41d5bf3f908a7e75804f876",
    ),
    "alder_ridge": (
        "--cars 2 --laps 1 --track alder-ridge --seed 16",
        "83001e888e0b4bb8ef1b744388cfb45a6afc683d8006def22192c14502811887",
    ),
    "drawn_track": (
        "--cars 2 --laps 1 --track drawn-3 --seed 17 --truth",
        "b2c072aaba4eea53585c995336eb3e7b2f2a687af125e6c46d1f999991f21741",
    ),
    "touring_sedan": (
        "--cars 2 --laps 1 --vehicle touring-sedan --track harbour-mile --seed 18",
        "6c80bebe8284d692fb77179cdbbdf65581f12ce9dd00216f4572255ded88cf3f",
    ),
    "one_profile": (
        "--cars 3 --laps 1 --profiles aggressive --track harbour-mile --seed 19",
        "2eecd07fdfe086f9a8fa7b5f8a6309ae3181b9f7e9dfcefff0b009092b61c2b8",
    ),
    "weighted_profiles": (
        "--cars 5 --laps 1 --profiles aggressive=3,eco=1.5 --track harbour-mile --rate 10 --seed 20",
        "f3c4a030ee0dafada2620751cf4ec1c85a9ec004d81d72d6557c8d22ea4a51dd",
    ),
    "mistakes": (
        "--cars 2 --laps 2 --driver-error brake_early:890:30:1:2 --driver-error lift:1700:60:2 --seed 21",
        "9429a4df9888b1474a2a3003166eb48874f132eda82585ddb44b6a9426996124",
    ),
    "mishaps": (
        f"--cars 4 --laps 2 {_CAR_FAULTS} --truth --seed 22",
        "25c43a3ad8a0a7a6cb4e41f323f541d8e9367a64ac9c6624a1d4acd8f708d26b",
    ),
    "hazards": (
        "--cars 4 --laps 2 --hazards --setups varied --truth --track harbour-mile --seed 23",
        "916b57b5d1ac52acea09164d23f6baa1260276963105669004f0706cbc19567b",
    ),
    "hazards_in_a_race": (
        "--cars 5 --laps 4 --race-incidents --random-car-faults --track harbour-mile --rate 10 --truth --seed 24",
        "0c7189147f83c75537802819d4996b2e7bfdc2b8c7fc26c2c697a60080e32c24",
    ),
    "duration_mishaps": (
        "--cars 2 --duration 120 --mishap kerb_strike:300:40 --mistake lift:400:60 --rate 10 --seed 25",
        "1878602073a00b3e177998d67098e3ad6f6a384d481a091ee26386d155f1eda9",
    ),
    "named": (
        "--cars 1 --laps 1 --session mine --topic mine.raw --track harbour-mile --rate 33.3",
        "7417b37a9c80102c7395fb66317593bdd2ffeb407474b5ee891642067053dcf2",
    ),
}

AVX512, WITHOUT_AVX512 = "5a0c9cd1fd620bf7", "933c7563281d71da"
"""What :func:`numerics` is with the elementary functions that NumPy has for AVX-512, and with the C library's."""

DIGESTS_WITHOUT_AVX512 = {
    "race": "6f91b3a56e193004a2d78cdc560e5207a557d837d485e152caf4a1091555283b",
    "race_stops": "e8bf4b46383a50675bb40426663b4a6b20e3358328014ae3eb242233e11dfa05",
    "race_no_faults": "dbe90ec75ff53c976b264f214744c8973f8696ac872eba51b63b122aabad1cc2",
    "race_without_incidents": "1d0f4b841bbb20ab0a8692520f03ce03bfcd37a0491db92a8663e5fddd85fd4c",
    "mishaps": "4ec5523cddb4ac4aa0c711382faf88d07026daebf4e0799d2c540f078d004753",
    "hazards": "b9854e4ec2c83d706d5cddf91ab4670a4abde5302969c27141cd005b022b8842",
    "hazards_in_a_race": "ac64a640f1e2ccd99c441b5262d76be0b3f029a117c1567738db247b4742c84a",
}
"""Of the sessions in which the last bit comes up among the digits sent."""


@pytest.mark.parametrize("name", CASES)
def test_what_is_sent_is_what_always_was(name: str) -> None:
    options, digest = CASES[name]
    processor = numerics()
    if name in DIGESTS_WITHOUT_AVX512 and processor != AVX512:
        if processor != WITHOUT_AVX512:
            pytest.skip("this processor's or C library's elementary functions differ in the last bit")
        digest = DIGESTS_WITHOUT_AVX512[name]
    assert digest_of(options.split()) == digest


if __name__ == "__main__":
    for case, (its_options, _) in CASES.items():
        print(f"{case:<24} {digest_of(its_options.split(), exact='--exact' in sys.argv)}")  # noqa: T201
