from dataclasses import replace

import pytest

from reverie.methods import dreamer3_config


def test_sizes_are_the_table_s():
    """name: deter, hidden d, classes, depth, units; always 32 variables in 8 blocks."""
    table = {
        "1m": (512, 64, 4, 4, 64), "12m": (2048, 256, 16, 16, 256), "25m": (3072, 384, 24, 24, 384),
        "50m": (4096, 512, 32, 32, 512), "100m": (6144, 768, 48, 48, 768), "200m": (8192, 1024, 64, 64, 1024),
        "400m": (12288, 1536, 96, 96, 1536),
    }  # fmt: skip
    ours = {name: size for name, size in dreamer3_config.SIZES.items() if name not in ("nano", "tiny")}
    assert ours.keys() == table.keys()
    for name, size in ours.items():
        rssm = size.rssm
        assert (rssm.deter, rssm.hidden, rssm.classes, size.depth, size.units) == table[name]
        assert (rssm.stoch, rssm.blocks) == (32, 8)
    assert dreamer3_config.SIZES["200m"] == dreamer3_config.Config()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"discount_horizon": 1.0}, "discount_horizon must be at least 2, got 1"),
        ({"lambda_": 1.5}, "lambda_ must be from 0 to 1, got 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate must be at least 0, got nan"),
        ({"slow_rate": 7.0}, "slow_rate must be from 0 to 1, got 7"),
        ({"dtype": "float16"}, "'float16'"),
    ],
)
def test_impossible_configs(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(dreamer3_config.NANO, **wrong)
