import pytest
from pytorch_lightning.loggers import CSVLogger

from brainseg.callbacks import BestEpoch, MetricsCSV, Steps
from brainseg.callbacks.loggers import Dashboard


class Board(Dashboard, CSVLogger):
    """Remembers what it is told."""

    def __init__(self, folder):
        super().__init__(folder, "", "")
        self.told, self.summaries, self.watched = [], [], None

    def log_metrics(self, metrics, step=None):
        self.told.append((step, dict(metrics)))

    def watch_best(self, monitor, mode):
        self.watched = monitor, mode

    def summarise(self, values):
        self.summaries.append(dict(values))

    def points(self):
        return [(step, told) for step, told in self.told if "step/loss" in told]


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_a_short_epoch_has_points_too(tiny, batches, make_trainer, board):
    trainer = make_trainer(Steps(), epochs=2, logger=board)
    trainer.log_every_n_steps = 50
    trainer.fit(tiny, batches, batches)
    assert [step for step, _ in board.points()] == [1, 2, 3, 4, 5, 6, 7, 8]
    first = board.points()[0][1]
    assert set(first) == {
        f"step/{name}" for name in ("loss", "gradient_norm", "learning_rate", "samples_per_second")
    }
    assert first["step/loss"] == pytest.approx(1.0)  # (0 - 1)^2
    assert first["step/gradient_norm"] == pytest.approx(2.0)  # 2 (1 - 0)
    assert first["step/learning_rate"] == 0.1
    assert first["step/samples_per_second"] > 0


def test_points_are_of_whole_optimizer_steps(tiny, batches, make_trainer, board):
    trainer = make_trainer(Steps(), epochs=1, logger=board, accumulate_grad_batches=2)
    trainer.fit(tiny, batches, batches)
    assert [step for step, _ in board.points()] == [1, 2]
    first = board.points()[0][1]
    assert first["step/loss"] == pytest.approx(1.0)  # not half of it
    assert first["step/gradient_norm"] == pytest.approx(2.0)


def test_metrics_csv_has_no_seconds(tmp_path, tiny, batches, make_trainer):
    make_trainer(Steps(), BestEpoch(), epochs=1, logger=MetricsCSV(tmp_path)).fit(tiny, batches, batches)
    assert "step/" not in (tmp_path / "metrics.csv").read_text()


def test_the_best_epoch_is_told_with_its_scores(tiny, batches, make_trainer, board):
    make_trainer(BestEpoch(), logger=board).fit(tiny, batches, batches)
    assert board.watched == ("val/dice/mean", "max")
    assert [told.get("best/epoch") for told in board.summaries] == [None, 0, 1]  # not 2, which is worse
    assert board.summaries[-1]["best/val/dice/mean"] == pytest.approx(0.6)
    assert board.summaries[-1]["best/val/loss"] == pytest.approx((0.8**8) ** 2)


def test_a_resumed_run_remembers_the_best_epoch(tmp_path, tiny, batches, make_trainer, board):
    make_trainer(BestEpoch(), epochs=2).fit(tiny, batches, batches)
    last = tmp_path / "checkpoints" / "last.ckpt"
    make_trainer(BestEpoch(), logger=board).fit(tiny, batches, batches, ckpt_path=last, weights_only=True)
    assert [told["best/epoch"] for told in board.summaries] == [1]
