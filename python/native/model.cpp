#include "python/native/model.h"

#include "apps/class_names_file.h"
#include "apps/conversion_report.h"
#include "engine/model/model_file.h"
#include "files/json.h"
#include "python/native/call.h"
#include "python/native/options.h"
#include "weights_converter/convert.h"

namespace tyto::python {

nlohmann::ordered_json grid_json(const BevGridInfo& grid) {
  return {{"lower", grid.lower},
          {"step", grid.step},
          {"cells", grid.cells},
          {"rows", grid.rows_are_x ? "x" : "y"},
          {"frame", grid.lidar_frame ? "lidar" : "ego"}};
}

namespace {

nlohmann::ordered_json describe(const ModelInfo& info) {
  return {{"network", info.network},
          {"task", info.task ? name_of(*info.task) : ""},
          {"options", info.options},
          {"inputs", inputs_json(info)},
          {"outputs", outputs_json(info)},
          {"state", info.state},
          {"class_names", info.class_names},
          {"grid", info.grid ? grid_json(*info.grid) : nlohmann::ordered_json()},
          {"source_sha256", info.source_sha256},
          {"identity", info.tensors_sha256}};
}

}  // namespace
}  // namespace tyto::python

using namespace tyto;
using namespace tyto::python;

extern "C" int32_t tyto_python_convert(const char* checkpoint, const char* output, const char* options,
                                       const int32_t* stop, tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    ConvertOptions wanted;
    wanted.wanted = {given.text("network"), given.text("key"), given.text("prefix"), given.pairs("set"),
                     given.flag("allow_unused", false)};
    wanted.preprocess = given.pairs("preprocess");
    wanted.class_names = given.texts("classes");
    if (const auto file = given.text("classes_file")) wanted.class_names = apps::read_class_names(*file);
    wanted.poll = [&] {
      if (__atomic_load_n(stop, __ATOMIC_RELAXED) != 0) throw Interrupted{};
    };
    return dump_json(apps::conversion_json(output, convert(checkpoint, output, wanted)));
  });
}

extern "C" int32_t tyto_python_model_open(const char* path, const char* options, uint64_t* model,
                                          tyto_python_text* text) noexcept {
  return answer(text, [&] {
    const CallOptions given(options);
    const auto opened = std::make_shared<OpenModel>(path);
    if (given.flag("verify", true)) opened->model().verify();
    const std::string said = dump_json(describe(opened->model().info()));
    *model = keep(opened);
    return said;
  });
}
