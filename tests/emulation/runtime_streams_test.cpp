// Streams and events: work runs as late as it may, and a missing wait shows.
#include "emulation/runtime_fixture.h"

namespace emulation {
namespace {

TEST_F(Runtime, RunsNothingBeforeSomebodyWaits) {
  const cudaStream_t s = stream();
  const int64_t before = runtime_counts().launches;
  fill(device(), 1, s);
  EXPECT_EQ(runtime_counts().launches, before);
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(runtime_counts().launches, before + 1);
}

TEST_F(Runtime, FreshMemoryHoldsNaN) { EXPECT_TRUE(std::isnan(peek(device()))); }

TEST_F(Runtime, WaitingForAStreamLeavesOtherWorkWaiting) {
  const cudaStream_t waited = stream(), other = stream();
  float *a = device(), *b = device();
  fill(a, 1, other);
  fill(b, 2, waited);
  OK(cudaStreamSynchronize(waited));
  EXPECT_EQ(cudaStreamQuery(other), cudaErrorNotReady);
  EXPECT_EQ(peek(b), 2);
}

TEST_F(Runtime, MissingStreamWaitShows) {
  for (bool waits : {false, true}) {
    const cudaStream_t writer = stream(), reader = stream();
    float *x = device(), *y = device();
    fill(x, 1, writer);
    if (waits) order(writer, reader);
    copy(y, x, reader);
    OK(cudaDeviceSynchronize());
    EXPECT_EQ(peek(y) == 1, waits);
  }
}

// The reader comes first in the program, so only a schedule that runs unrelated work early shows it.
TEST_F(Runtime, MissingWaitForAReaderShowsWhereOtherStreamsRunAhead) {
  set_schedule({Schedule::Order::Reverse});
  for (bool waits : {false, true}) {
    const cudaStream_t reader = stream(), writer = stream();
    float *x = device(), *y = device();
    fill(x, 1, reader);
    OK(cudaDeviceSynchronize());
    copy(y, x, reader);
    if (waits) order(reader, writer);
    fill(x, 2, writer);
    OK(cudaStreamSynchronize(reader));
    EXPECT_EQ(peek(y) == 1, waits);
  }
}

TEST_F(Runtime, SomeShuffleShowsEitherMissingWait) {
  int read_too_early = 0, written_too_early = 0;
  for (const Schedule& by : every_schedule()) {
    set_schedule(by);
    const cudaStream_t one = stream(), two = stream();
    float *x = device(), *y = device();
    fill(x, 1, one);
    OK(cudaDeviceSynchronize());
    fill(x, 2, one);
    copy(y, x, two);
    fill(x, 3, one);
    OK(cudaDeviceSynchronize());
    read_too_early += peek(y) == 1;
    written_too_early += peek(y) == 3;
  }
  EXPECT_GT(read_too_early, 0);
  EXPECT_GT(written_too_early, 0);
}

TEST_F(Runtime, EventsOrderStreamsUnderEverySchedule) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t left = stream(), right = stream();
    float *x = device(), *y = device();
    fill(x, 1, left);
    for (int i = 0; i < 20; ++i) {
      order(left, right);
      copy(y, x, right);
      order(right, left);
      add(x, y, left);
    }
    OK(cudaStreamSynchronize(left));
    EXPECT_EQ(peek(x), 1 << 20);
  }
}

TEST_F(Runtime, AnEventStandsForItsLatestRecord) {
  const cudaStream_t s = stream();
  const cudaEvent_t mark = event();
  OK(cudaEventSynchronize(mark));  // never recorded: nothing to wait for
  float* x = device();
  fill(x, 1, s);
  OK(cudaEventRecord(mark, s));
  fill(x, 2, s);
  OK(cudaEventRecord(mark, s));
  fill(x, 3, s);
  OK(cudaEventSynchronize(mark));
  EXPECT_EQ(peek(x), 2);
}

TEST_F(Runtime, AskingOftenEnoughGetsTheWorkDone) {
  const cudaStream_t s = stream();
  const cudaEvent_t mark = event();
  float* x = device();
  for (int i = 1; i <= 3; ++i) fill(x, static_cast<float>(i), s);
  OK(cudaEventRecord(mark, s));
  int asked = 0;
  while (cudaEventQuery(mark) == cudaErrorNotReady) ++asked;
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(cudaStreamQuery(s), cudaSuccess);
  EXPECT_EQ(peek(x), 3);
}

TEST_F(Runtime, ElapsedTimeNeedsTimedEventsThatHaveHappened) {
  const cudaStream_t s = stream();
  const cudaEvent_t from = event(cudaEventDefault), to = event(cudaEventDefault), untimed = event();
  float milliseconds = -1;
  OK(cudaEventRecord(from, s));
  fill(device(), 1, s);
  OK(cudaEventRecord(to, s));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, from, to), cudaErrorNotReady);
  OK(cudaStreamSynchronize(s));
  OK(cudaEventElapsedTime(&milliseconds, from, to));
  EXPECT_GT(milliseconds, 0);
  OK(cudaEventRecord(untimed, s));
  OK(cudaStreamSynchronize(s));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, from, untimed), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, BlockingStreamsTakeTurnsWithTheDefaultStream) {
  for (const Schedule& by : every_schedule()) {
    SCOPED_TRACE(name_of(by));
    set_schedule(by);
    const cudaStream_t s = stream(cudaStreamDefault);
    float *x = device(), *y = device();
    fill(x, 1, s);
    copy(y, x, nullptr);
    fill(x, 2, s);
    OK(cudaDeviceSynchronize());
    EXPECT_EQ(peek(y), 1);
  }
}

TEST_F(Runtime, NonBlockingStreamsDoNot) {
  const cudaStream_t s = stream(cudaStreamNonBlocking);
  float *x = device(), *y = device();
  fill(x, 1, nullptr);
  copy(y, x, s);
  OK(cudaDeviceSynchronize());
  EXPECT_TRUE(std::isnan(peek(y)));
}

// CUDA: "for transfers from pageable host memory to device memory [...] the DMA to final destination may not have
// completed".
TEST_F(Runtime, UploadsFromPageableMemoryAreStagedAndStillUnderWay) {
  std::vector<float> host(kSize, 1);
  float *x = device(), *y = device();
  OK(cudaMemcpy(x, host.data(), kBytes, cudaMemcpyHostToDevice));
  host.assign(kSize, 2);
  EXPECT_TRUE(std::isnan(peek(x)));  // another stream, which has not waited
  copy(y, x, nullptr);
  OK(cudaMemcpy(host.data(), y, kBytes, cudaMemcpyDeviceToHost));
  EXPECT_EQ(host, std::vector<float>(kSize, 1));
}

TEST_F(Runtime, CopiesWithinTheDeviceAndMemsetsReturnAtOnce) {
  float *x = device(), *y = device();
  OK(cudaMemset(x, 0, kBytes));
  OK(cudaMemcpy(y, x, kBytes, cudaMemcpyDeviceToDevice));
  EXPECT_TRUE(std::isnan(peek(x)));
  OK(cudaDeviceSynchronize());
  EXPECT_EQ(peek(y), 0);
}

TEST_F(Runtime, RowsAreCopiedByTheirPitch) {
  const std::vector<float> host = {1, 2, 3, 4, 5, 6};  // 2 x 3
  float* x = device(8);                                // 2 x 4
  OK(cudaMemset(x, 0, 8 * sizeof(float)));
  OK(cudaMemcpy2D(x, 16, host.data(), 12, 12, 2, cudaMemcpyHostToDevice));
  std::vector<float> back(8);
  OK(cudaMemcpy(back.data(), x, 32, cudaMemcpyDeviceToHost));
  EXPECT_EQ(back, (std::vector<float>{1, 2, 3, 0, 4, 5, 6, 0}));
  EXPECT_EQ(cudaMemcpy2D(x, 8, host.data(), 12, 12, 2, cudaMemcpyHostToDevice), cudaErrorInvalidPitchValue);
}

}  // namespace
}  // namespace emulation
