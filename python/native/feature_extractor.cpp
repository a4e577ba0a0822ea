#include "tyto/feature_extractor.h"

#include <fmt/format.h>

#include <algorithm>

#include "files/json.h"
#include "python/native/call.h"
#include "python/native/image_run.h"

namespace tyto::python {

template <>
const char* const Served<FeatureExtractor>::kName = "extractor";

namespace {

struct Extractor : Served<FeatureExtractor> {
  Extractor(std::shared_ptr<OpenModel> model, const CallOptions& options, const ExtractOptions& of_pipeline)
      : Served(std::move(model), options, of_pipeline), batch(of_pipeline.batch) {}
  const int batch;
};

constexpr size_t kMostScales = 64;  // a network each

using ExtractorRun = ImageRun<FeatureExtractor>;

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_extractor_open(uint64_t model, const char* options, uint64_t* extractor,
                                              tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    ExtractOptions of_pipeline;
    of_pipeline.precision = precision_of(given);
    of_pipeline.batch = batch_of(given, of_pipeline.batch);
    of_pipeline.flip = given.flag("flip");
    of_pipeline.scales = given.numbers("scales", of_pipeline.scales);
    if (of_pipeline.scales.size() > kMostScales)
      throw Error(ErrorKind::Usage,
                  fmt::format("{} scales are more than {}", of_pipeline.scales.size(), kMostScales));
    of_pipeline.set = given.pairs("set");
    const auto opened = std::make_shared<Extractor>(find<OpenModel>(model), given, of_pipeline);
    nlohmann::ordered_json said = opened->describe();
    said["matrices"] = nlohmann::ordered_json::array();
    for (const FeatureMatrix& matrix : opened->pipeline().matrices())
      said["matrices"].push_back({matrix.name, matrix.width});
    said["flip"] = opened->pipeline().flips();
    const std::string done = dump_json(said);
    *extractor = keep(opened);
    return done;
  });
}

extern "C" int32_t tyto_python_extractor_run(uint64_t extractor, const tyto_python_image* images,
                                             int64_t count, const char* options, uint64_t* run,
                                             tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const auto found = find<Extractor>(extractor);
    *run = keep(std::make_shared<ExtractorRun>(found, images, count, found->batch, CallOptions(options)));
  });
}

extern "C" int32_t tyto_python_extractor_next(uint64_t run, float* features, int64_t* indices,
                                              int64_t capacity, int64_t* rows,
                                              tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const auto step = find<ExtractorRun>(run)->next(static_cast<size_t>(std::max<int64_t>(capacity, 0)));
    *rows = -1;
    if (!step) return std::string();
    *rows = static_cast<int64_t>(step->rows.size());
    for (const ExtractorRun::Result& image : step->rows) {
      *indices++ = image.index;
      features = std::ranges::copy(image.row, features).out;
    }
    return skipped_json(step->skipped);
  });
}
