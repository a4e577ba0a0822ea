"""Threads, forks, and what a call leaves of Python's lock."""
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import unittest

import torch
from torch.utils.data import DataLoader, Dataset

import tyto
from tyto.losses import circle_loss


def sample(seed: int, rows: int = 256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 64, generator=generator), torch.arange(rows) // 4


class Losses(Dataset):
    """Computes in its workers."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return circle_loss(*sample(index))


def loss_of(seed: int) -> float:
    return circle_loss(*sample(seed)).item()


class Process(unittest.TestCase):
    def setUp(self):
        self.threads = tyto.get_num_threads()
        tyto.set_num_threads(2)
        self.wanted = [loss_of(seed) for seed in range(4)]  # with OpenMP's threads, which a fork leaves behind

    def tearDown(self):
        tyto.set_num_threads(self.threads)

    def test_workers_of_a_data_loader_compute(self):
        for method in "fork", "spawn":
            loader = DataLoader(Losses(), batch_size=1, num_workers=2, multiprocessing_context=method, timeout=60)
            self.assertEqual([batch.item() for batch in loader], self.wanted, method)

    def test_a_forked_process_has_one_thread(self):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # rather than wait for threads that are not there
            said = [str(tyto.get_num_threads()), str(loss_of(0) == self.wanted[0])]
            try:
                tyto.set_num_threads(2)
            except ValueError as error:
                said.append(str(error))
            os.write(writer, "\n".join(said).encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        said = os.read(reader, 1000).decode()
        os.close(reader)
        self.assertTrue(said, "the child was stuck")
        threads, same, refusal = said.split("\n")
        self.assertEqual((threads, same), ("1", "True"))
        self.assertRegex(refusal, "this process was forked")

    def test_a_number_of_threads_is_one_or_more(self):
        for threads in 0, -1, 2**31, 1.5, "two", None:
            with self.assertRaisesRegex(tyto.ArgumentError, "threads cannot be"):
                tyto.set_num_threads(threads)

    def test_more_threads_than_before_have_their_workspace(self):
        tokens = torch.randn(1, 2, 700, 32)
        tyto.set_num_threads(1)
        one = tyto.ops.attention(tokens, tokens, tokens)
        tyto.set_num_threads(8)
        self.assertTrue(torch.equal(tyto.ops.attention(tokens, tokens, tokens), one))

    def test_other_threads_run_while_a_loss_computes(self):
        features, labels = sample(0, 3000)
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1

        counter = threading.Thread(target=count)
        counter.start()
        before = counted[0]
        tyto.set_num_threads(1)
        circle_loss(features, labels)  # one call of some tenths of a second; a lock that is held would let none count
        after = counted[0]
        done.set()
        counter.join()
        self.assertGreater(after - before, 1000)

    def test_threads_compute_at_once(self):
        found = {}

        def compute(seed):
            found[seed] = loss_of(seed)

        threads = [threading.Thread(target=compute, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([found[seed] for seed in range(4)], self.wanted)

    def test_inference_does_without_pytorch(self):
        subprocess.run([sys.executable, "-c", "import sys, tyto; assert 'torch' not in sys.modules"], check=True)

    def test_an_error_comes_back_whole_from_a_worker(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool, self.assertRaisesRegex(tyto.ArgumentError, "no torch.Tensor") as caught:
            pool.apply(circle_loss, (None, None))
        self.assertEqual(caught.exception.kind, "usage")


if __name__ == "__main__":
    unittest.main()
