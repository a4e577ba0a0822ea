// A run allocates nothing: operator new is counted in this executable, outside oneDNN's own execution.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <oneapi/dnnl/dnnl.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/graph/passes.h"
#include "support/compare.h"
#include "support/small_resnet.h"
#include "support/small_ssd.h"
#include "support/steady_graph.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (counting) ++allocations;
  return std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* p = allocate(bytes, alignment);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) { return allocate_or_throw(n, alignof(std::max_align_t)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return allocate(n, alignof(std::max_align_t));
}
void* operator new(std::size_t n, std::align_val_t a) {
  return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

// What oneDNN allocates while it executes a primitive is its own affair.
extern "C" dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                                int count, const dnnl_exec_arg_t* arguments) {
  static const auto original =
      reinterpret_cast<decltype(&dnnl_primitive_execute)>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  const bool were_counting = counting.exchange(false);
  const dnnl_status_t status = original(primitive, stream, count, arguments);
  counting = were_counting;
  return status;
}

namespace tyto {
namespace {

template <class Work>
int allocations_of(Work&& work) {
  allocations = 0;
  counting = true;
  work();
  counting = false;
  return allocations;
}

TEST(Allocation, IsCounted) {
  EXPECT_GE(allocations_of([] { Tensor(DType::F32, {1000}); }), 2);  // the memory, and what shares it
  EXPECT_EQ(allocations_of([] {}), 0);
}

TEST(Allocation, ARunMakesNone) {
  for (int threads : {1, 2}) {
    OnCpu cpu(optimise(small_resnet_graph(2)), threads);
    const Tensor input = noise({2, 3, kSmallHeight, kSmallWidth}, 1);
    cpu.run(input);
    EXPECT_EQ(allocations_of([&] { cpu.run(input); }), 0) << threads << " threads";
  }
}

TEST(Allocation, ARunOfOurOwnKernelsMakesNone) {
  const Shape input = {2, 16, 9, 7};
  const Weights w = weights(batch_norm_at("bn", 16) + batch_norm_at("in", 8));
  Graph g;
  Value x = g.batch_norm(g.image_input("input", input), w.scope("bn"));
  x = g.instance_norm(x, w.scope("in"));
  g.output("y", g.flatten(g.adaptive_average_pool(g.relu(g.max_pool(x, {})), {3, 2})));
  OnCpu cpu(g);
  const Tensor in = noise(input, 1);
  cpu.run(in);
  EXPECT_EQ(allocations_of([&] { cpu.run(in); }), 0);
}

TEST(Allocation, ARunOfADetectorMakesNone) {
  const Graph g = network_graph("ssd300", weights(small_ssd_layout()), {2, 3, 300, 300});
  for (int threads : {1, 2}) {
    OnCpu cpu(optimise(g), threads);
    const Tensor in = noise({2, 3, 300, 300}, 1);
    cpu.run(in);
    EXPECT_EQ(allocations_of([&] { cpu.run(in); }), 0) << threads << " threads";
  }
}

TEST(Allocation, ARunWithAPrologueMakesNoneWhateverChanges) {
  const Graph graph = camera_graph(true);
  OnCpu cpu(graph, 2);
  Tensors inputs = camera_inputs(1);
  std::vector<BoundInput> bound;
  for (const auto& [name, value] : graph.inputs()) bound.emplace_back(&inputs.at(name));
  const auto run = [&] {
    cpu.executable->submit(bound);
    cpu.executable->collect(cpu.outputs);
  };
  run();
  EXPECT_EQ(allocations_of(run), 0);
  change_pose(inputs, 1);
  EXPECT_EQ(allocations_of(run), 0);
}

}  // namespace
}  // namespace tyto
