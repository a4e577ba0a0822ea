#include "kernels/image/grid_sample_cases.h"

namespace tyto::kernels::sampling {
namespace {

// block 0: channels last.
struct OnCpu {
  int64_t block = 0;

  template <class T>
  std::vector<double> sample(const Case& c, const GridSample& how) const {
    const Shape& s = c.shape;
    const int64_t block_size = block == 0 ? s.channels : block;
    const auto view = [&]<class E>(E* data, int64_t height, int64_t width) {
      ChannelBlocks<E> v = {data, s.n, s.channels, height, width, block_size, 0, height * width * block_size};
      v.image_stride = v.blocks() * v.block_stride;
      return v;
    };
    const auto place = [&](const auto& v, int64_t pixel, int64_t channel) {
      return static_cast<size_t>(pixel / v.area() * v.image_stride + channel / v.block * v.block_stride +
                                 pixel % v.area() * v.block + channel % v.block);
    };
    const auto x = view(static_cast<const T*>(nullptr), s.height, s.width);
    const auto y = view(static_cast<T*>(nullptr), s.out_height, s.out_width);
    std::vector<double> blocked(static_cast<size_t>(s.n * x.image_stride));
    for (int64_t pixel = 0; pixel < s.n * x.area(); ++pixel)
      for (int64_t channel = 0; channel < s.channels; ++channel)
        blocked[place(x, pixel, channel)] = c.x[static_cast<size_t>(pixel * s.channels + channel)];
    const std::vector<Stored<T>> from = stored<T>(blocked);
    const std::vector<Computed<T>> grid = computed_values<T>(c.grid);
    std::vector<Stored<T>> to(static_cast<size_t>(s.n * y.image_stride));
    grid_sample_cpu<T>(view(reinterpret_cast<const T*>(from.data()), s.height, s.width), grid.data(), how,
                       view(reinterpret_cast<T*>(to.data()), s.out_height, s.out_width));
    const std::vector<double> result = doubles<T>(to);
    std::vector<double> out;
    for (int64_t pixel = 0; pixel < s.places(); ++pixel)
      for (int64_t channel = 0; channel < s.channels; ++channel)
        out.push_back(result[place(y, pixel, channel)]);
    return out;
  }
};

TEST(GridSample, EqualsTheReference) {
  equals_the_reference<double>(OnCpu{});
  equals_the_reference<float>(OnCpu{});
  equals_the_reference<Half>(OnCpu{});
  equals_the_reference<BFloat16>(OnCpu{});
}

TEST(GridSample, EqualsTheReferenceInEveryLayout) {
  for (int64_t block : {1, 8}) equals_the_reference<float>(OnCpu{block});
}

TEST(GridSample, TakesTheEvenOneOfTwoNearest) { takes_the_even_one_of_two_nearest(OnCpu{}); }

TEST(GridSample, KnowsWhatIsNotFinite) { knows_what_is_not_finite(OnCpu{}); }

}  // namespace
}  // namespace tyto::kernels::sampling
