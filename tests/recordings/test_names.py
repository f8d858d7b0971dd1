"""Channel names as recorders write them give electrodes, references and pairs; what is not to be told apart is refused."""

import pytest

from hbac import hms
from hbac.errors import RecordError
from hbac.recordings.names import Channel, montage_of, read_label


@pytest.mark.parametrize(
    ("label", "first", "second"),
    [
        ("EEG FP1-REF", "Fp1", "REF"),
        ("EEG Fp1-LE", "Fp1", "LE"),
        ("Fp1-Avg", "Fp1", "AVG"),
        ("FP1-A1A2", "Fp1", "A1A2"),
        ("EEG O2-A1+A2", "O2", "A1+A2"),
        ("EEG C3-(A1+A2)/2", "C3", "(A1+A2)/2"),
        ("EEG Fp1", "Fp1", ""),
        ("  eeg   fp1 ", "Fp1", ""),
        ("EEGFz", "Fz", ""),
        ("EEG:Cz", "Cz", ""),
        ("POL T3", "T3", ""),
        ("T7", "T3", ""),
        ("t8-ref", "T4", "REF"),
        ("EEG P7-REF", "T5", "REF"),
        ("P8", "T6", ""),
        ("Fp1.", "Fp1", ""),
        ("Cz..", "Cz", ""),
        ("C3 - M2", "C3", "M2"),
        ("Pz-0", "Pz", ""),
        ("Fp1-F7", "Fp1", "F7"),
        ("EEG FP1-F7", "Fp1", "F7"),
        ("T7-P7", "T3", "T5"),
        ("T8-P8-1", "T4", "T6"),
        ("Fz-Cz", "Fz", "Cz"),
    ],
)
def test_a_label_names_an_electrode_and_what_it_is_against(label: str, first: str, second: str) -> None:
    assert read_label(label) == Channel(first, second)


@pytest.mark.parametrize(
    "label",
    ["ECG", "EKG", "EMG1-EMG2", "DC01", "EDF Annotations", "Status", "A1", "M2-REF", "Fpz", "Oz", "AF3", "F9", "FT7",
     "P9-REF", "STI 014", "", "-", "EEG", "EEG -REF", "Photic", "C3C4", "PULSE", "F", "T33", "SpO2", "X1-F3"],
)  # fmt: skip
def test_what_is_none_of_the_19_electrodes_names_none(label: str) -> None:
    assert read_label(label) is None


def test_referential_names_give_electrodes_in_our_order() -> None:
    montage = montage_of([f"EEG {name.upper()}-REF" for name in reversed(hms.ELECTRODES)] + ["EKG"], "x.edf")
    assert montage.electrodes
    assert montage.columns == tuple((18 - j,) for j in range(19))
    assert montage.notes == ()


def test_bipolar_names_give_pairs_and_one_the_other_way_round_is_turned() -> None:
    labels = ["-".join(pair) for pair in hms.PAIRS] + ["Fz-Cz", "Cz-Pz", "T7-FT9"]
    labels[4] = "EEG F8-FP2"
    montage = montage_of(labels, "x.edf")
    assert not montage.electrodes
    assert montage.columns == tuple((j,) for j in range(16))
    assert montage.turned == {4}
    assert montage.notes == ("pairs written the other way round, turned: Fp2-F8",)


def test_missing_and_renamed_electrodes_are_noted() -> None:
    newer = {"T3": "T7", "T6": "P8"}
    labels = [f"{newer.get(name, name)}-REF" for name in hms.ELECTRODES if name not in ("O1", "Cz")]
    assert montage_of(labels, "x.edf").notes == (
        "electrodes missing: O1, Cz",
        "electrodes by their newer names: T7 as T3, P8 as T6",
    )


def test_a_common_reference_that_is_an_electrode_is_a_reference() -> None:
    montage = montage_of([f"{name}-Cz" for name in hms.ELECTRODES if name != "Cz"], "x.edf")
    assert montage.electrodes
    assert montage.notes == ("electrodes missing: Cz",)


def test_ears_of_each_side_give_pairs_as_no_pair_crosses_the_middle() -> None:
    labels = [f"{name}-{'A2' if name[-1] in '2468' else 'A1'}" for name in hms.ELECTRODES]
    montage = montage_of(labels, "x.edf")
    assert (montage.electrodes, montage.derived) == (False, True)
    assert "references differ between pairs and not within one" in montage.notes[0]


def test_mixed_references_are_refused_by_name() -> None:
    labels = [f"{name}-{'A1' if name in ('C3', 'O2') else 'REF'}" for name in hms.ELECTRODES]
    with pytest.raises(
        RecordError, match=r"x.edf: expected one reference, received C3 O2 against A1, Fp1 F3 .* against REF"
    ):
        montage_of(labels, "x.edf")


def test_electrodes_come_before_pairs_where_a_file_has_both() -> None:
    labels = [*hms.ELECTRODES, *("-".join(pair) for pair in hms.PAIRS)]
    montage = montage_of(labels, "x.edf")
    assert montage.electrodes
    assert montage.notes == ("16 bipolar channels beside the electrodes are left out",)


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        (["EKG"], "1 channels: EKG"),
        ([], "0 channels: no channels"),
        (["Fp1", "F7", "T3", "T5", "O1", "F3", "C3", "P3"][:7], "7 channels: Fp1, F7"),
        (["Fp1-F7", "F7-T3", "T3-T5", "T5-O1", "Fp2-F8", "F8-T4", "T4-T6"], "7 channels: Fp1-F7, F7-T3"),
    ],
)
def test_fewer_than_eight_pairs_are_refused(labels: list[str], received: str) -> None:
    with pytest.raises(
        RecordError, match=rf"expected electrodes for at least 8 of the 16 pairs .*, received {received}"
    ):
        montage_of(labels, "x.edf")


def test_one_chain_of_each_plane_is_enough() -> None:
    assert montage_of(["Fp1", "F7", "T3", "T5", "O1", "F3", "C3", "P3"], "x.edf").electrodes  # eight pairs


def test_chb_mit_is_read_with_its_pair_in_both_directions_and_its_pair_that_comes_twice() -> None:
    labels = "FP1-F7 F7-T7 T7-P7 P7-O1 FP1-F3 F3-C3 C3-P3 P3-O1 FP2-F4 F4-C4 C4-P4 P4-O2 FP2-F8 F8-T8 T8-P8 P8-O2"
    labels += " FZ-CZ CZ-PZ P7-T7 T7-FT9 FT9-FT10 FT10-T8 T8-P8"
    montage = montage_of(labels.split(), "chb01_01.edf")
    assert montage.columns[:8] == ((0,), (1,), (2,), (3,), (12,), (13,), (14, 22), (15,))
    assert montage.turned == frozenset()
    assert montage.notes[-1] == "left out, as the pair is there the right way round: P7-T7"


def test_rows_across_the_head_beside_the_chains_are_left_out() -> None:
    across = [
        "F7-F3",
        "F3-Fz",
        "Fz-F4",
        "F4-F8",
        "T3-C3",
        "C3-Cz",
        "Cz-C4",
        "C4-T4",
        "T5-P3",
        "P3-Pz",
        "Pz-P4",
        "P4-T6",
        "Fp1-Fp2",
        "O1-O2",
    ]
    montage = montage_of([*("-".join(pair) for pair in hms.PAIRS), *across], "x")
    assert not montage.electrodes
    assert montage.columns == tuple((j,) for j in range(16))
    referential = montage_of([f"{name}-Cz" for name in hms.ELECTRODES if name != "Cz"], "x")
    assert referential.electrodes
