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

TEST_F(Runtime, WaitingForAStreamLeavesOtherWorkWaiting) {
  const cudaStream_t waited = stream(), other = stream();
  float *a = device(), *b = device();
  fill(a, 1, other);
  fill(b, 2, waited);
  OK(cudaStreamSynchronize(waited));
  EXPECT_EQ(cudaStreamQuery(other), cudaErrorNotReady);
  EXPECT_EQ(peek(b), 2);
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
  float *x = device(), *y = device();
  fill(x, 1, s);
  OK(cudaEventRecord(mark, s));
  fill(x, 2, s);
  OK(cudaEventRecord(mark, s));
  fill(y, 3, s);
  OK(cudaEventSynchronize(mark));
  EXPECT_EQ(peek(x), 2);
  EXPECT_EQ(cudaStreamQuery(s), cudaErrorNotReady);
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
  OK(cudaMemset(x, 0, kBytes));
  OK(cudaDeviceSynchronize());
  OK(cudaMemset(x, 1, kBytes));
  OK(cudaMemcpyAsync(y, x, kBytes, cudaMemcpyDeviceToDevice, s));
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_TRUE(race_between("cudaMemset of 20 bytes", "cudaMemcpyAsync of 20 bytes"));
}

// CUDA: "for transfers from pageable host memory to device memory [...] the DMA to final destination may not
// have completed".
TEST_F(Runtime, UploadsFromPageableMemoryAreStagedAndStillUnderWay) {
  std::vector<float> host(kSize, 1);
  float *x = device(), *y = device();
  OK(cudaMemcpy(x, host.data(), kBytes, cudaMemcpyHostToDevice));
  host.assign(kSize, 2);
  copy(y, x, nullptr);
  OK(cudaMemcpy(host.data(), y, kBytes, cudaMemcpyDeviceToHost));
  EXPECT_EQ(host, std::vector<float>(kSize, 1));
  OK(cudaMemcpy(x, host.data(), kBytes, cudaMemcpyHostToDevice));
  OK(cudaMemcpyAsync(y, x, kBytes, cudaMemcpyDeviceToDevice, stream()));  // which has not waited
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_TRUE(race_between("cudaMemcpy of 20 bytes", "cudaMemcpyAsync of 20 bytes"));
}

TEST_F(Runtime, CopiesWithinTheDeviceAndMemsetsReturnAtOnce) {
  float *x = device(), *y = device();
  const int64_t before = runtime_counts().copies;
  OK(cudaMemset(x, 0, kBytes));
  OK(cudaMemcpy(y, x, kBytes, cudaMemcpyDeviceToDevice));
  EXPECT_EQ(runtime_counts().copies, before);
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
