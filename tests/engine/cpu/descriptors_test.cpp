// No library hears of sizes that were not admitted: every descriptor of memory is counted in this executable.
// Linked once for the CPU and once for the emulated GPU, whose library stand-ins describe to oneDNN what
// cuDNN would be asked.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "engine/graph/passes.h"
#include "support/errors.h"
#include "support/small_resnet.h"
#include "support/temporary_folder.h"
#include "tyto/plan.h"

namespace {

int descriptors = 0;
double largest = 0;  // elements of one

void count(int rank, const dnnl_dims_t sizes) {
  if (rank < 2) return;  // oneDNN's own, of its scratch
  ++descriptors;
  double elements = 1;
  for (int i = 0; i < rank; ++i) elements *= static_cast<double>(sizes[i]);
  largest = std::max(largest, elements);
}

}  // namespace

extern "C" dnnl_status_t dnnl_memory_desc_init_by_tag(dnnl_memory_desc_t* d, int rank,
                                                      const dnnl_dims_t sizes, dnnl_data_type_t type,
                                                      dnnl_format_tag_t tag) {
  static const auto original = reinterpret_cast<decltype(&dnnl_memory_desc_init_by_tag)>(
      dlsym(RTLD_NEXT, "dnnl_memory_desc_init_by_tag"));
  count(rank, sizes);
  return original(d, rank, sizes, type, tag);
}

extern "C" dnnl_status_t dnnl_memory_desc_init_by_strides(dnnl_memory_desc_t* d, int rank,
                                                          const dnnl_dims_t sizes, dnnl_data_type_t type,
                                                          const dnnl_dims_t strides) {
  static const auto original = reinterpret_cast<decltype(&dnnl_memory_desc_init_by_strides)>(
      dlsym(RTLD_NEXT, "dnnl_memory_desc_init_by_strides"));
  count(rank, sizes);
  return original(d, rank, sizes, type, strides);
}

namespace tyto {
namespace {

class Descriptors : public testing::Test {
 protected:
  void SetUp() override {
    descriptors = 0;
    largest = 0;
  }
  void plan(const Shape& input, int64_t memory_limit = 0) {
    ContextOptions options{.device = TYTO_TEST_DEVICE, .threads = 1};
    options.memory_limit = memory_limit;
    Context context(options);
    Plan(model, context, {{"input", input}});
  }

  const TemporaryFolder folder;
  const Model model{write_small_resnet(folder / "small.safetensors")};
};

TEST_F(Descriptors, OfAPlanThatFitsAreOfTheGraphsSizes) {
  constexpr int64_t kBatch = 64;  // so that values are larger than weights
  plan({kBatch, 3, kSmallHeight, kSmallWidth});
  EXPECT_GT(descriptors, 0);
  double most = 0;
  const Graph graph = optimise(small_resnet_graph(kBatch));
  for (const Node& node : graph.nodes()) most = std::max(most, static_cast<double>(node.shape().elements()));
  EXPECT_LE(largest, most);
  EXPECT_GT(largest, 0);
}

TEST_F(Descriptors, OfAPlanBeyondAllMemoryAreNotMade) {
  const int64_t one = 1;
  const std::vector<Shape> inputs = {{4096, 3, 16384, 16384},      {1, 3, one << 20, one << 20},
                                     {1, 3, one << 30, one << 30}, {1, 3, one << 40, one << 40},
                                     {one << 31, 3, 64, 32},       {one << 60, 3, 64, 32}};
  for (const Shape& input : inputs) {
    expect_error([&] { plan(input); }, ErrorKind::Memory, {"layer '", input.str()});
    EXPECT_EQ(descriptors, 0) << input.str();
  }
}

TEST_F(Descriptors, OfAPlanBeyondItsLimitAreNotMade) {
  expect_error(
      [&] {
        plan({256, 3, kSmallHeight, kSmallWidth}, int64_t{2} << 20);
      },
      ErrorKind::Memory, {"at least", "the limit of 2 MiB", "use --batch "});
  EXPECT_EQ(descriptors, 0);
}

}  // namespace
}  // namespace tyto
