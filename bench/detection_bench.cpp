// Post-processing of single-shot detectors at the size of SSD300 on VOC and COCO. The bound of the scores is
// the memory they move; that of the selection is the candidates above the threshold.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <vector>

#include "kernels/detection/class_scores.h"
#include "kernels/detection/decode_boxes.h"
#include "kernels/detection/nms.h"

namespace tyto::kernels {
namespace {

constexpr int64_t kAnchors = 8732;

// Numbers in 0..1, the same on every run.
std::vector<float> numbers(int64_t count) {
  std::vector<float> v(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& x : v) x = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
  return v;
}

void scores(benchmark::State& state) {
  const int64_t classes = state.range(0);
  const std::vector<float> logits = numbers(kAnchors * classes);
  std::vector<float> out(static_cast<size_t>(kAnchors * (classes - 1)));
  for (auto _ : state) {
    class_scores_cpu(logits.data(), 1, kAnchors, classes, {}, out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kAnchors * (2 * classes - 1) *
                          static_cast<int64_t>(sizeof(float)));
}
BENCHMARK(scores)->Arg(21)->Arg(91)->Unit(benchmark::kMicrosecond);

void decode(benchmark::State& state) {
  const std::vector<float> offsets = numbers(kAnchors * 4), anchors = numbers(kAnchors * 4);
  std::vector<float> boxes(offsets.size());
  for (auto _ : state) {
    decode_boxes_cpu(offsets.data(), anchors.data(), 1, kAnchors, {}, boxes.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(decode)->Unit(benchmark::kMicrosecond);

// One in range(1) of the scores lies above the threshold.
void select(benchmark::State& state) {
  const int64_t classes = state.range(0);
  const Nms p = {
      .score_threshold = 1 - 1 / static_cast<float>(state.range(1)), .top_k = 200, .max_detections = 200};
  const std::vector<float> all = numbers(kAnchors * classes);
  std::vector<float> boxes = numbers(kAnchors * 4);
  for (size_t i = 0; i < boxes.size(); i += 4) {  // a tenth to a half of the image wide and high
    boxes[i + 2] = boxes[i] + 0.1f + 0.4f * boxes[i + 2];
    boxes[i + 3] = boxes[i + 1] + 0.1f + 0.4f * boxes[i + 3];
  }
  const int threads = omp_get_max_threads();
  std::vector<int64_t> workspace(
      static_cast<size_t>(nms_workspace(p, 1, classes, kAnchors, threads) / 8 + 1));
  std::vector<float> rows(static_cast<size_t>(detection_capacity(p, classes, kAnchors) * kDetectionRow));
  int32_t found = 0;
  for (auto _ : state) {
    nms_cpu(boxes.data(), all.data(), 1, classes, kAnchors, p, threads, workspace.data(), rows.data(),
            &found);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(select)
    ->Args({20, 1000})
    ->Args({20, 40})
    ->Args({90, 1000})
    ->Args({90, 40})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tyto::kernels
