// Runs attention and its gradients for a Python test: a command with its numbers on a line of standard input,
// then raw arrays; raw results on standard output.
//   attention batch heads queries depth width scale sets, and of each set: keys, batch and heads of its bias,
//     batch and queries of its mask (batch 0: none)       then q, gradient of y, of each set k, v, bias, mask
//     y; gradients of q, of each set's k, v, bias
//   position batch positions depth channels gamma         then q, k, v, x, gradient of y
//     y; gradients of q, k, v, x, gamma
#include <omp.h>

#include <iostream>
#include <list>
#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/position_attention.h"

using namespace tyto::kernels;

namespace {

template <class T>
class Arrays {
 public:
  T* make(int64_t count) { return all_.emplace_back(static_cast<size_t>(count)).data(); }
  T* read(int64_t count) {
    T* values = make(count);
    std::cin.read(reinterpret_cast<char*>(values), count * static_cast<std::streamsize>(sizeof(T)));
    return values;
  }

 private:
  std::list<std::vector<T>> all_;
};

void write(const float* values, int64_t count) {
  std::cout.write(reinterpret_cast<const char*>(values), count * static_cast<std::streamsize>(sizeof(float)));
}

void run_attention() {
  Arrays<float> floats;
  Arrays<int32_t> masks;
  AttentionOf<float> of;
  std::cin >> of.batch >> of.heads >> of.queries >> of.depth >> of.width >> of.scale >> of.key_sets;
  for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
    KeySet<float>& set = of.sets[s];
    std::cin >> set.keys >> set.bias.batch >> set.bias.heads >> set.mask.batch >> set.mask.queries;
  }
  std::cin.ignore(1);  // the newline after the command
  const int64_t depths = of.heads * of.depth, widths = of.heads * of.width, rows = of.batch * of.queries;
  of.q = {floats.read(rows * depths), depths};
  const Tokens<const float> y_gradient = {floats.read(rows * widths), widths};
  AttentionGradients<float> to;
  to.q = {floats.make(rows * depths), depths};
  const auto bias_size = [&](const KeySet<float>& set) {
    return set.bias.batch * set.bias.heads * of.queries * set.keys;
  };
  for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
    KeySet<float>& set = of.sets[s];
    const int64_t keys = of.batch * set.keys;
    set.k = {floats.read(keys * depths), depths};
    set.v = {floats.read(keys * widths), widths};
    to.sets[s].k = {floats.make(keys * depths), depths};
    to.sets[s].v = {floats.make(keys * widths), widths};
    if (set.bias.batch > 0) {
      set.bias.data = floats.read(bias_size(set));
      to.sets[s].bias = floats.make(bias_size(set));
    }
    if (set.mask.batch > 0) set.mask.data = masks.read(set.mask.batch * set.mask.queries * set.keys);
  }
  float* const y = floats.make(rows * widths);
  const RowStatistics statistics = {floats.make(rows * of.heads), floats.make(rows * of.heads)};
  const int threads = omp_get_max_threads();
  attention_cpu(of, {y, widths}, statistics, floats.make(attention_scratch_floats(of, threads)));
  attention_backward_cpu(of, statistics, y_gradient, to,
                         floats.make(attention_backward_scratch_floats(of, threads)));
  write(y, rows * widths);
  write(to.q.data, rows * depths);
  for (size_t s = 0; s < static_cast<size_t>(of.key_sets); ++s) {
    const KeySet<float>& set = of.sets[s];
    write(to.sets[s].k.data, of.batch * set.keys * depths);
    write(to.sets[s].v.data, of.batch * set.keys * widths);
    if (set.bias.data) write(to.sets[s].bias, bias_size(set));
  }
}

void run_position() {
  Arrays<float> floats;
  PositionAttentionOf<float> of;
  float gamma = 0;
  std::cin >> of.batch >> of.positions >> of.depth >> of.channels >> gamma;
  std::cin.ignore(1);
  of.gamma = &gamma;
  const int64_t rows = of.batch * of.positions, depths = rows * of.depth, channels = rows * of.channels;
  of.q = floats.read(depths);
  of.k = floats.read(depths);
  of.v = floats.read(channels);
  of.x = floats.read(channels);
  const float* const y_gradient = floats.read(channels);
  float* const y = floats.make(channels);
  const PositionAttentionGradients<float> to = {floats.make(depths), floats.make(depths),
                                                floats.make(channels), floats.make(channels), floats.make(1)};
  const RowStatistics statistics = {floats.make(rows), floats.make(rows)};
  const int threads = omp_get_max_threads();
  position_attention_cpu(of, y, statistics, floats.make(position_attention_scratch_floats(of, threads)));
  position_attention_backward_cpu(of, statistics, y_gradient, to,
                                  floats.make(position_attention_backward_scratch_floats(of, threads)));
  write(y, channels);
  write(to.q, depths);
  write(to.k, depths);
  write(to.v, channels);
  write(to.x, channels);
  write(to.gamma, 1);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string command; std::cin >> command;) {
    if (command == "attention") run_attention();
    if (command == "position") run_position();
    std::cout.flush();
  }
}
