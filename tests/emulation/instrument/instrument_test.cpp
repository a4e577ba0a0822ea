// The instrument finds what is wrong, counts it exactly, and leaves right kernels alone.
#include "emulation/instrument/instrument.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "emulation/emulation.h"
#include "emulation/instrument/kernels.h"
#include "kernels/cuda/device_array.h"

namespace {

using emulation::instrument::Finding;
using emulation::instrument::FindingKind;
using emulation::instrument::KernelProfile;
using emulation::instrument::Profile;
using tyto::kernels::check_cuda;
using tyto::kernels::DeviceArray;

DeviceArray<float> ramp(int size) {
  std::vector<float> values(static_cast<size_t>(size));
  std::iota(values.begin(), values.end(), 0.0f);
  return DeviceArray<float>(values);
}

class InstrumentTest : public testing::Test {
 protected:
  void SetUp() override { emulation::instrument::start(); }
  void TearDown() override {
    emulation::instrument::stop();
    emulation::take_faults();
  }

  static std::vector<Finding> findings() {
    static_cast<void>(cudaDeviceSynchronize());  // a fault is no error of the test
    const auto found = emulation::instrument::take_findings();
    for (const Finding& finding : found) std::cout << finding.message << "\n";  // for who reads a failure
    return found;
  }
  static int64_t races_in_block() {
    int64_t races = 0;
    for (const Finding& finding : findings())
      if (finding.kind == FindingKind::RaceInBlock) races += finding.count;
    return races;
  }
  static KernelProfile profile() {
    check_cuda(cudaDeviceSynchronize());
    const Profile taken = emulation::instrument::take_profile();
    EXPECT_EQ(taken.size(), 1u);
    return taken.empty() ? KernelProfile{} : taken.front();
  }
  static void expect_clean() {
    for (const Finding& finding : findings()) ADD_FAILURE() << finding.message;
  }
};

// --- findings

TEST_F(InstrumentTest, SharedRaceWithoutBarrier) {
  DeviceArray<float> x = ramp(64), y(64);
  instrument_kernels::reverse(x.data(), y.data(), false);
  const auto found = findings();
  ASSERT_EQ(found.size(),
            3u);  // forward: threads 0-31 read too early, 32-63 what is there, and both are races
  EXPECT_EQ(found[0].kind, FindingKind::Uninitialised);
  EXPECT_EQ(found[0].count, 32);
  EXPECT_EQ(found[1].kind, FindingKind::RaceInBlock);
  EXPECT_EQ(found[1].count, 32);
  EXPECT_EQ(found[2].kind, FindingKind::RaceInBlock);
  EXPECT_EQ(found[2].count, 32);
}

TEST_F(InstrumentTest, SharedRaceNamesKernelLinesAndThreads) {
  DeviceArray<int> count(1);
  instrument_kernels::count_shared(count.data(), false);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::RaceInBlock);
  EXPECT_EQ(found[0].count, 31);  // all but thread 0, which is in order with itself
  EXPECT_EQ(found[0].kernel, "count_shared_kernel");
  EXPECT_EQ(found[0].thread, 1);
  EXPECT_EQ(found[0].line, "tests/emulation/instrument/kernels.cu:67");
  EXPECT_EQ(found[0].other_line, "tests/emulation/instrument/kernels.cu:65");
  EXPECT_EQ(found[0].message,
            "count_shared_kernel, tests/emulation/instrument/kernels.cu:67, block (0, 0, 0): thread 1 "
            "atomically changes "
            "what thread 0 writes at tests/emulation/instrument/kernels.cu:65, with no barrier between them "
            "(31 accesses)");
}

TEST_F(InstrumentTest, MissingSyncwarp) {
  DeviceArray<float> x = ramp(32), y(32);
  instrument_kernels::swap_neighbours(x.data(), y.data(), false);
  EXPECT_EQ(races_in_block(), 32);  // each word, when the second of its two lanes comes
}

TEST_F(InstrumentTest, SyncwarpOrdersOnlyTheLanesOfItsMask) {
  DeviceArray<float> x = ramp(32), y(32);
  instrument_kernels::swap_across_halves(x.data(), y.data());
  EXPECT_EQ(races_in_block(), 32);
}

TEST_F(InstrumentTest, RaceBetweenBlocks) {
  DeviceArray<int> count(std::vector<int>{0});
  instrument_kernels::count_threads(count.data(), 5, false);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);  // all on one line
  EXPECT_EQ(found[0].kind, FindingKind::RaceBetweenBlocks);
  EXPECT_EQ(found[0].count, 8);  // the read and the write of blocks 1 to 4
  EXPECT_EQ(found[0].block.x, 1u);
}

TEST_F(InstrumentTest, BlockThatReadsWhatAnotherWrote) {
  DeviceArray<float> y(4);
  instrument_kernels::read_first_block(y.data(), 4);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::RaceBetweenBlocks);
  EXPECT_EQ(found[0].count, 3);
}

TEST_F(InstrumentTest, BlockThatWritesWhatOthersRead) {
  for (const bool reads_itself : {false, true})
    for (const int blocks : {2, 4}) {
      DeviceArray<float> x = ramp(1), y(blocks);
      instrument_kernels::write_what_others_read(x.data(), y.data(), blocks, reads_itself);
      const auto found = findings();
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(found[0].kind, FindingKind::RaceBetweenBlocks);
      EXPECT_EQ(found[0].count, 1);
      EXPECT_EQ(found[0].block.x, static_cast<unsigned>(blocks) - 1);
    }
}

TEST_F(InstrumentTest, SyncwarpOrdersNoOtherWarp) {
  DeviceArray<float> y(96);
  instrument_kernels::write_after_syncwarp(y.data(), 32);
  expect_clean();
  instrument_kernels::write_after_syncwarp(y.data(), 96);
  EXPECT_EQ(races_in_block(), 1);
}

TEST_F(InstrumentTest, PlainReadAmongAtomics) {
  DeviceArray<int> y(32);
  instrument_kernels::read_while_counting(y.data());
  EXPECT_EQ(races_in_block(),
            31 + 31);  // all but the first: the atomic against reads, the read against atomics
}

TEST_F(InstrumentTest, AFloatSumInNoOrderThatRounds) {
  for (const int blocks : {1, 2}) {
    DeviceArray<float> x(std::vector<float>(64, 0.1f)), sum(std::vector<float>{0});
    instrument_kernels::sum_atomically(x.data(), sum.data(), blocks, false);
    const auto found = findings();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].kind, FindingKind::OrderOfAtomics);
    EXPECT_EQ(found[0].line, "tests/emulation/instrument/kernels.cu:125");
    EXPECT_EQ(found[0].other_line, found[0].line);
    EXPECT_EQ(found[0].thread, 2);  // 0.1f + 0.1f is exact
  }
}

TEST_F(InstrumentTest, AFloatSumThatIsExactOrInOrderHasTheSameBitsAlways) {
  DeviceArray<float> whole = ramp(64), sum(std::vector<float>{0});
  instrument_kernels::sum_atomically(whole.data(), sum.data(), 2, false);
  expect_clean();
  DeviceArray<float> tenths(std::vector<float>(32, 0.1f));
  instrument_kernels::sum_atomically(tenths.data(), sum.data(), 1, true);
  expect_clean();
}

TEST_F(InstrumentTest, ABarrierThatThreadsWhichEndedDoNotReach) {
  DeviceArray<float> y(64);
  instrument_kernels::barrier_of_some(y.data(), true);
  expect_clean();
  instrument_kernels::barrier_of_some(y.data(), false);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::MissedBarrier);
  EXPECT_EQ(found[0].message,
            "barrier_of_some_kernel, tests/emulation/instrument/kernels.cu:137, block (0, 0, 0): thread 32 "
            "has ended "
            "without __syncthreads, which 32 threads of its block reach and 32 do not (1 barrier)");
}

TEST_F(InstrumentTest, LaunchesOfOneStreamAreInOrder) {
  DeviceArray<int> count(std::vector<int>{0});
  for (int i = 0; i < 3; ++i) instrument_kernels::count_threads(count.data(), 1, false);
  expect_clean();
  EXPECT_EQ(count.download()[0], 3);
}

TEST_F(InstrumentTest, UninitialisedSharedRead) {
  DeviceArray<float> y(32);
  instrument_kernels::read_shared(y.data(), 29, 1);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Uninitialised);
  EXPECT_EQ(found[0].count, 3);
  EXPECT_EQ(found[0].thread, 0);
}

TEST_F(InstrumentTest, SharedMemoryIsFreshInEveryBlock) {
  DeviceArray<float> y(96);
  instrument_kernels::read_shared(y.data(), 32, 3);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Uninitialised);
  EXPECT_EQ(found[0].count, 64);
  EXPECT_EQ(found[0].block.x, 1u);
}

TEST_F(InstrumentTest, UninitialisedGlobalRead) {
  DeviceArray<float> x(40), y(33);
  check_cuda(cudaMemset(x.data(), 0, 30 * sizeof(float)));
  instrument_kernels::copy_strided(x.data(), y.data(), 33, 1);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Uninitialised);
  EXPECT_EQ(found[0].count, 3);
  EXPECT_EQ(found[0].thread, 30);
}

TEST_F(InstrumentTest, MemoryIsFreshAgainWhenAllocatedAgain) {
  DeviceArray<float> y(32);
  { const DeviceArray<float> freed = ramp(32); }
  DeviceArray<float> x(32);
  instrument_kernels::copy_strided(x.data(), y.data(), 32, 1);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].count, 32);
}

TEST_F(InstrumentTest, GlobalReadOutOfBoundsByOne) {
  DeviceArray<float> x = ramp(31), y(32);
  instrument_kernels::copy_too_far(x.data(), y.data(), 32);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Bounds);
  EXPECT_EQ(found[0].count, 1);
  EXPECT_EQ(found[0].thread, 31);
  EXPECT_NE(found[0].message.find("reads 4 bytes 0 past the end of a device buffer of 124 bytes"),
            std::string::npos)
      << found[0].message;
}

TEST_F(InstrumentTest, GlobalWriteOutOfBoundsByOne) {
  DeviceArray<float> x = ramp(32), y(31);
  instrument_kernels::copy_too_far(x.data(), y.data(), 32);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Bounds);
  EXPECT_EQ(found[0].count, 1);
  EXPECT_NE(found[0].message.find("writes 4 bytes 0 past the end"), std::string::npos) << found[0].message;
}

TEST_F(InstrumentTest, SharedOutOfBoundsByOne) {
  DeviceArray<float> y(33);
  instrument_kernels::shared_too_far(y.data(), 33);
  const auto found = findings();
  ASSERT_EQ(found.size(), 2u);  // the write and the read of thread 32
  for (const Finding& finding : found) {
    EXPECT_EQ(finding.kind, FindingKind::Bounds);
    EXPECT_EQ(finding.count, 1);
    EXPECT_EQ(finding.thread, 32);
    EXPECT_NE(finding.message.find("past the end of a shared buffer of 128 bytes"), std::string::npos)
        << finding.message;
  }
}

TEST_F(InstrumentTest, MisalignedVector) {
  DeviceArray<float> x = ramp(8), y(8);
  instrument_kernels::copy_two(x.data() + 2, y.data());
  instrument_kernels::copy_four(x.data(), y.data() + 4);
  expect_clean();
  instrument_kernels::copy_two(x.data() + 1, y.data());
  const auto found = findings();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::Misaligned);
  EXPECT_NE(found[0].message.find("reads 8 bytes at an address that 8 does not divide"), std::string::npos)
      << found[0].message;
}

TEST_F(InstrumentTest, MisalignedVectorThatX86Refuses) {
  DeviceArray<float> x = ramp(8), y(8);
  EXPECT_DEATH(
      {
        instrument_kernels::copy_four(x.data() + 1, y.data());
        y.download();
      },
      "copy_vector_kernel.*kernels.cu.*reads 16 bytes at an address that 8 does not divide");
}

TEST_F(InstrumentTest, RightKernelsAreClean) {
  DeviceArray<float> x = ramp(64 * 64), y(64 * 64), sums(16);
  instrument_kernels::reverse(x.data(), y.data(), true);
  instrument_kernels::swap_neighbours(x.data(), y.data(), true);
  instrument_kernels::transpose(x.data(), y.data(), 64);
  instrument_kernels::block_sum(x.data(), sums.data(), 64 * 64);
  instrument_kernels::block_scan(x.data(), y.data(), 200);
  instrument_kernels::halves_sum(x.data(), y.data());
  DeviceArray<int> count(std::vector<int>{0}), shared_count(1);
  instrument_kernels::count_threads(count.data(), 3, true);
  instrument_kernels::count_shared(shared_count.data(), true);
  instrument_kernels::look_up({}, y.data());
  expect_clean();
  EXPECT_EQ(count.download()[0], 96);
  EXPECT_EQ(shared_count.download()[0], 32);
  EXPECT_EQ(sums.download()[0], 255 * 128);
}

TEST_F(InstrumentTest, ScheduleChangesNoVerdict) {
  for (const char* name : {"forward", "reverse", "shuffled:1", "warp-ahead:3"}) {
    SCOPED_TRACE(name);
    emulation::set_schedule(emulation::schedule_from(name));
    DeviceArray<float> x = ramp(64), y(64);
    instrument_kernels::reverse(x.data(), y.data(), true);
    expect_clean();
    instrument_kernels::reverse(x.data(), y.data(), false);
    EXPECT_EQ(races_in_block(), 64);  // each word is written by one thread and read by another
  }
  emulation::set_schedule({});
}

// --- counts

TEST_F(InstrumentTest, ContiguousFloatsAreIdeal) {
  DeviceArray<float> x = ramp(64), y(64);
  instrument_kernels::copy_strided(x.data(), y.data(), 64, 1);
  const KernelProfile kernel = profile();
  const auto all = kernel.total();
  EXPECT_EQ(all.global_requests, 4);  // two warps, a read and a write each
  EXPECT_EQ(all.sectors, 16);
  EXPECT_EQ(all.ideal_sectors, 16);
  EXPECT_EQ(all.lanes, 128);
  EXPECT_EQ(all.global_bytes_read, 256);
  EXPECT_EQ(all.global_bytes_written, 256);
  EXPECT_EQ(all.shared_requests, 0);
  ASSERT_EQ(kernel.launches.size(), 1u);
  EXPECT_EQ(kernel.launches[0].grid.x, 2u);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_read, 256);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_written, 256);
  EXPECT_EQ(kernel.launches[0].block_barriers, 0);
}

TEST_F(InstrumentTest, Stride32TouchesASectorPerLane) {
  DeviceArray<float> x = ramp(32 * 32), y(32);
  instrument_kernels::copy_strided(x.data(), y.data(), 32, 32);
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 2);
  EXPECT_EQ(all.sectors, 32 + 4);
  EXPECT_EQ(all.ideal_sectors, 4 + 4);
}

TEST_F(InstrumentTest, MisalignedByOneFloatTouchesOneSectorMore) {
  DeviceArray<float> x = ramp(33), y(32);
  instrument_kernels::copy_strided(x.data() + 1, y.data(), 32, 1);
  const auto all = profile().total();
  EXPECT_EQ(all.sectors, 5 + 4);
  EXPECT_EQ(all.ideal_sectors, 4 + 4);
}

TEST_F(InstrumentTest, VectorsOf16BytesAreOneIdealRequest) {
  DeviceArray<float> x = ramp(128), y(128);
  instrument_kernels::copy_vectors(x.data(), y.data(), 128);
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 2);
  EXPECT_EQ(all.sectors, 32);
  EXPECT_EQ(all.ideal_sectors, 32);
  EXPECT_EQ(all.global_bytes_read, 512);
}

TEST_F(InstrumentTest, BytesAreIdealWhereTheyStandSideBySide) {
  DeviceArray<uint8_t> x(std::vector<uint8_t>(64)), y(64);
  instrument_kernels::copy_bytes(x.data(), y.data(), 64);
  const KernelProfile kernel = profile();
  EXPECT_EQ(kernel.total().sectors, 4);
  EXPECT_EQ(kernel.total().ideal_sectors, 4);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_read, 64);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_written, 64);
}

TEST_F(InstrumentTest, GlobalBroadcastIsOneSectorAndDistinctBytesCountOnce) {
  DeviceArray<float> x = ramp(8), y(64);
  instrument_kernels::copy_first(x.data(), y.data(), 64);
  const KernelProfile kernel = profile();
  EXPECT_EQ(kernel.total().sectors, 2 * 1 + 2 * 4);
  EXPECT_EQ(kernel.total().ideal_sectors, 2 * 1 + 2 * 4);
  EXPECT_EQ(kernel.total().global_bytes_read, 256);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_read, 4);
}

TEST_F(InstrumentTest, PartialWarpCountsItsActiveLanes) {
  DeviceArray<float> x = ramp(40), y(40);
  instrument_kernels::copy_strided(x.data(), y.data(), 40, 1);
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 4);
  EXPECT_EQ(all.lanes, 2 * 40);
  EXPECT_EQ(all.sectors, 2 * 5);
}

struct Stride {
  int words, wavefronts;  // of one request
};
class BankConflictTest : public InstrumentTest, public testing::WithParamInterface<Stride> {};

TEST_P(BankConflictTest, WavefrontsOfARequest) {
  DeviceArray<float> y(32);
  instrument_kernels::shared_stride(y.data(), GetParam().words);
  if (GetParam().words == 0)
    static_cast<void>(findings());  // all write one word: a race, and not the matter here
  const auto all = profile().total();
  EXPECT_EQ(all.shared_requests, 2);
  EXPECT_EQ(all.wavefronts, 2 * GetParam().wavefronts);
  EXPECT_EQ(all.ideal_wavefronts, 2);
  EXPECT_EQ(all.shared_bytes_read, 128);
  EXPECT_EQ(all.shared_bytes_written, 128);
}

// 0: one word for all, a broadcast. 31: coprime to the banks.
INSTANTIATE_TEST_SUITE_P(Strides, BankConflictTest,
                         testing::Values(Stride{0, 1}, Stride{1, 1}, Stride{2, 2}, Stride{4, 4},
                                         Stride{31, 1}, Stride{32, 32}),
                         [](const auto& stride) { return "Stride" + std::to_string(stride.param.words); });

TEST_F(InstrumentTest, SharedVectorsTakeAWavefrontAQuarter) {
  DeviceArray<float> y(32);
  instrument_kernels::shared_vectors(y.data());
  const auto all = profile().total();
  EXPECT_EQ(all.shared_requests, 2);
  EXPECT_EQ(all.wavefronts,
            4 + 4);  // written as 16 bytes; of what is read only a float, 4 words apart: a 4-way conflict
  EXPECT_EQ(all.ideal_wavefronts, 4 + 1);
}

TEST_F(InstrumentTest, PaddedTransposeIsIdeal) {
  DeviceArray<float> x = ramp(64 * 64), y(64 * 64);
  instrument_kernels::transpose(x.data(), y.data(), 64);
  const KernelProfile kernel = profile();
  const auto all = kernel.total();
  EXPECT_EQ(all.global_requests, 2 * 4 * 8 * 4);  // read and write, 4 tiles of 8 warps with 4 rows each
  EXPECT_EQ(all.sectors, all.global_requests * 4);
  EXPECT_EQ(all.ideal_sectors, all.sectors);
  EXPECT_EQ(all.shared_requests, all.global_requests);
  EXPECT_EQ(all.wavefronts, all.shared_requests);
  EXPECT_EQ(all.ideal_wavefronts, all.shared_requests);
  EXPECT_EQ(kernel.launches[0].block_barriers, 4);
}

TEST_F(InstrumentTest, LanesOfTwoTilesMakeOneRequest) {
  DeviceArray<float> x = ramp(32), y(32);
  instrument_kernels::halves_sum(x.data(), y.data());
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 2);
  EXPECT_EQ(all.lanes, 64);
}

TEST_F(InstrumentTest, LanesThatSkipATurnAreMatchedWithinTheNext) {
  DeviceArray<float> x = ramp(64), y(32);
  instrument_kernels::odd_lanes_twice(x.data(), y.data());
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 3);
  EXPECT_EQ(all.sectors, 4 + 4 + 4);  // turn 0, turn 1, the sums
  EXPECT_EQ(all.ideal_sectors, 2 + 4 + 4);
}

TEST_F(InstrumentTest, ParametersAreConstantMemory) {
  DeviceArray<float> y(32);
  instrument_kernels::look_up({}, y.data());
  const auto all = profile().total();
  EXPECT_EQ(all.global_requests, 1);
  EXPECT_EQ(all.global_bytes_read, 0);
}

TEST_F(InstrumentTest, AtomicsByAddress) {
  DeviceArray<int> count(std::vector<int>{0});
  instrument_kernels::count_threads(count.data(), 3, true);
  const KernelProfile kernel = profile();
  EXPECT_EQ(kernel.total().atomics, 96);
  EXPECT_EQ(kernel.launches[0].most_atomics_on_one_address, 96);
  EXPECT_EQ(kernel.launches[0].distinct_bytes_written, 4);
}

TEST_F(InstrumentTest, ProductsOnTensorCoresAreCountedOnceAWarpAndByLine) {
  DeviceArray<float> y(3 * 64);
  instrument_kernels::multiply_tiles(y.data(), 3);
  const KernelProfile kernel = profile();
  EXPECT_EQ(kernel.launches[0].counts.half_products, 3 * 2 * 2 * 16 * 8 * 16);  // blocks, warps, tiles
  EXPECT_EQ(kernel.launches[0].counts.tf32_products, 3 * 2 * 3 * 16 * 8 * 8);
  std::vector<std::string> lines;
  for (const auto& line : kernel.lines)
    if (line.counts.products() > 0) lines.push_back(line.line);
  EXPECT_EQ(lines, (std::vector<std::string>{"tests/emulation/instrument/kernels.cu:201",
                                             "tests/emulation/instrument/kernels.cu:202"}));
  std::ostringstream table;
  emulation::instrument::print_launches({kernel}, table);
  EXPECT_NE(table.str().find("\t24576\t18432\t640\t12\n"), std::string::npos) << table.str();
  emulation::instrument::print_profile({kernel}, table);
  EXPECT_NE(table.str().find(" 43008\n"), std::string::npos) << table.str();  // the row of all lines
}

TEST_F(InstrumentTest, LinesAddUpToTheLaunch) {
  DeviceArray<float> x = ramp(64), y(64);
  instrument_kernels::reverse(x.data(), y.data(), true);
  const KernelProfile kernel = profile();
  ASSERT_EQ(kernel.lines.size(), 2u);
  EXPECT_EQ(kernel.lines[0].line, "tests/emulation/instrument/kernels.cu:40");
  EXPECT_EQ(kernel.lines[1].line, "tests/emulation/instrument/kernels.cu:42");
  EXPECT_EQ(kernel.lines[0].counts.shared_bytes_written, 256);
  EXPECT_EQ(kernel.lines[1].counts.shared_bytes_read, 256);
  EXPECT_EQ(kernel.total().requests(), kernel.launches[0].counts.requests());
  std::ostringstream table;
  emulation::instrument::print_profile({kernel}, table);
  EXPECT_NE(table.str().find("reverse_kernel, 1 launch"), std::string::npos) << table.str();
}

}  // namespace
