// Writes sample features as npz and mat into the folder given, and each a second time; see export_test.py.
#include <cstdio>
#include <limits>
#include <string>

#include "apps/reid/export.h"
#include "apps/reid/sample_features.h"

int main(int, char** argv) {
  using namespace tyto;
  using namespace tyto::apps;
  const std::string folder = argv[1];
  Features f = sample_features(3, 5, 4);
  f.sets[SetKind::MultiQuery] = sample_set("m", 2, 4);
  for (const std::string copy : {"first", "second"}) {
    export_features(f, export_format("npz"), folder + "/" + copy + ".npz");
    export_features(f, export_format("mat"), folder + "/" + copy + ".mat");
  }
  Features gallery_only = sample_features(1, 30, 7);
  gallery_only.sets.erase(SetKind::Query);
  export_features(gallery_only, ExportFormat::Npz, folder + "/gallery.npz");
  export_features(gallery_only, ExportFormat::Mat, folder + "/gallery.mat");

  for (const std::string kind : {"npz", "mat"})
    export_features(sample_of_two_matrices(), export_format(kind), folder + "/two." + kind);

  Features large;  // claims more than 2 GiB without touching the memory
  large.sets[SetKind::Gallery].features.emplace_back(DType::F32, Shape{1 << 20, 600});
  try {
    export_features(large, ExportFormat::Mat, folder + "/large.mat");
  } catch (const Error& e) {
    std::puts(e.what());
  }
  try {
    export_features(f, ExportFormat::Npz, folder + "/no/such/folder.npz");
  } catch (const Error& e) {
    std::puts(e.what());
  }
  try {
    export_features(f, ExportFormat::Mat, folder + "/no/such/folder.mat");
  } catch (const Error& e) {
    std::puts(e.what());
  }
}
