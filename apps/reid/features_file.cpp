#include "apps/reid/features_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "files/json.h"
#include "files/json_object.h"
#include "files/named.h"
#include "files/safetensors.h"
#include "files/utf8.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr const char* kKind = "features";
constexpr Named<SetKind> kSetNames[] = {
    {"query", SetKind::Query}, {"gallery", SetKind::Gallery}, {"multi_query", SetKind::MultiQuery}};
constexpr size_t kMaxMetadataBytes =
    90'000'000;  // a safetensors header ends at 100 MB; quotes are escaped in it
constexpr size_t kMaxScales = 64;
constexpr int64_t kMaxShards = 1'000'000, kMaxSplits = 1'000'000;

[[noreturn]] void bad(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorKind::Format, fmt::format("{}: {}", file.string(), what));
}

// --- metadata ---

std::string metadata_of(const Features& f) {
  ordered_json j;
  j["kind"] = kKind;
  j["version"] = kVersion;
  j["model"] = f.provenance.model;
  j["network"] = f.provenance.network;
  j["rule"] = f.provenance.rule;
  j["precision"] = f.provenance.precision;
  j["flip"] = f.provenance.flip;
  j["scales"] = f.provenance.scales;
  j["exif"] = f.provenance.exif;
  j["dataset"] = f.provenance.dataset;
  if (f.provenance.split) j["split"] = *f.provenance.split;
  if (f.shard) j["shard"] = {{"index", f.shard->index}, {"count", f.shard->count}};
  j["sets"] = ordered_json::object();
  for (const auto& [kind, set] : f.sets)
    j["sets"][std::string(name_of(kind))] = {{"root", set.root}, {"paths", set.paths}};
  return j.dump();
}

ordered_json parse_metadata(const SafetensorsFile& in) {
  const auto text = in.metadata().find("tyto");
  if (text == in.metadata().end())
    bad(in.path(), "not a features file (no tyto metadata); write one with `tyto extract`");
  constexpr int kMaxNesting = 5;
  return parse_json(text->second, kMaxNesting, in.path().string() + ": its tyto metadata");
}

void read_making(const JsonObject& from, Features& into) {
  Provenance& m = into.provenance;
  m.model = from.get<std::string>("model");
  m.network = from.get<std::string>("network");
  m.rule = from.get<std::string>("rule");
  m.precision = from.get<std::string>("precision");
  m.flip = from.get<bool>("flip");
  m.scales = from.get<std::vector<double>>("scales");
  m.exif = from.get<bool>("exif");
  m.dataset = from.get<std::string>("dataset");
  if (from.has("split")) m.split = from.get<int64_t>("split", 1, kMaxSplits);
  if (m.scales.empty() || m.scales.size() > kMaxScales)
    from.refuse("scales", fmt::format("a list of 1 to {} numbers", kMaxScales));
  if (!from.has("shard")) return;
  const JsonObject shard = from.object("shard");
  const auto count = shard.get<int64_t>("count", 1, kMaxShards);
  into.shard = Shard{shard.get<int64_t>("index", 0, count - 1), count};
}

// --- sets ---

// One tensor of a set, of the type and shape promised.
Tensor read_tensor(const SafetensorsFile& in, const std::string& name, DType dtype, size_t rank,
                   int64_t rows) {
  const auto spec = in.find(name);
  if (!spec) bad(in.path(), fmt::format("has no tensor '{}'", name));
  if (spec->dtype != dtype || spec->shape.rank() != rank || spec->shape[0] != rows)
    bad(in.path(), fmt::format("'{}' is {} {}, but its metadata lists {} images", name, name_of(spec->dtype),
                               spec->shape.str(), rows));
  return in.read(name);
}

std::vector<int64_t> read_numbers(const SafetensorsFile& in, const std::string& name, int64_t rows) {
  const Tensor t = read_tensor(in, name, DType::I64, 1, rows);
  const auto values = t.as<int64_t>();
  return {values.begin(), values.end()};
}

FeatureSet read_paths(const SafetensorsFile& in, const JsonObject& from, const std::string& name) {
  FeatureSet set;
  set.root = from.get<std::string>("root");
  set.paths = from.get<std::vector<std::string>>("paths");
  const auto disorder = std::adjacent_find(set.paths.begin(), set.paths.end(), std::greater_equal<>());
  if (disorder != set.paths.end())
    bad(in.path(), fmt::format("its {} paths are not sorted after '{}'", name, *disorder));
  return set;
}

void read_tensors(const SafetensorsFile& in, const std::string& name, FeatureSet& set) {
  set.features = read_tensor(in, name + ".features", DType::F32, 2, set.rows());
  set.ids = read_numbers(in, name + ".ids", set.rows());
  set.cameras = read_numbers(in, name + ".cameras", set.rows());
}

Features read_description(const SafetensorsFile& in) {
  const ordered_json metadata = parse_metadata(in);
  const std::filesystem::path& path = in.path();
  const JsonObject from(metadata, path.string() + ": its metadata");
  if (!from.has("kind") || from.get<std::string>("kind") != kKind)
    bad(path, "not a features file; write one with `tyto extract`");
  if (const auto version = from.get<int64_t>("version"); version != kVersion)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: features of format version {}, this tyto reads version {}", path.string(),
                            version, kVersion));
  Features features;
  read_making(from, features);
  const JsonObject sets = from.object("sets");
  for (const auto& [name, kind] : kSetNames) {
    const std::string key(name);
    if (sets.has(key)) features.sets[kind] = read_paths(in, sets.object(key), key);
  }
  sets.finish();
  return features;
}

void check_writable(const std::filesystem::path& file, std::string_view name, const FeatureSet& set) {
  const auto rows = set.paths.size();
  if (set.ids.size() != rows || set.cameras.size() != rows || set.features.dtype() != DType::F32 ||
      set.features.shape().rank() != 2 || set.features.dim(0) != set.rows())
    throw Error(ErrorKind::Shape,
                fmt::format("{}: the {} set has {} paths, {} identities, {} cameras and features {} {}",
                            file.string(), name, rows, set.ids.size(), set.cameras.size(),
                            name_of(set.features.dtype()), set.features.shape().str()));
  const auto twice = std::adjacent_find(set.paths.begin(), set.paths.end());
  if (twice != set.paths.end()) bad(file, fmt::format("{} image '{}' would stand in it twice", name, *twice));
  if (!is_utf8(set.root))
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: the name of folder '{}' is not UTF-8; rename it", file.string(), set.root));
  for (const std::string& path : set.paths)
    if (!is_utf8(path))
      throw Error(ErrorKind::Unsupported, fmt::format("{}: the name of {} image '{}' is not UTF-8; rename it",
                                                      file.string(), name, path));
}

}  // namespace

std::string_view name_of(SetKind kind) { return name_in(kSetNames, kind); }

std::filesystem::path FeatureSet::file(int64_t row) const {
  return (std::filesystem::path(root) / paths[static_cast<size_t>(row)]).lexically_normal();
}

const FeatureSet& Features::set(SetKind kind, const std::string& origin) const {
  const auto it = sets.find(kind);
  if (it == sets.end())
    throw Error(ErrorKind::Usage,
                fmt::format("{} has no {} features; extract them with --{} DIR", origin, name_of(kind),
                            kind == SetKind::MultiQuery ? "multi-query" : name_of(kind)));
  return it->second;
}

void sort_by_path(FeatureSet& set) {
  if (std::is_sorted(set.paths.begin(), set.paths.end())) return;
  std::vector<size_t> order(set.paths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return std::tie(set.paths[a], a) < std::tie(set.paths[b], b); });

  FeatureSet sorted;
  sorted.root = set.root;
  sorted.features = Tensor(DType::F32, set.features.shape());
  const auto width = static_cast<size_t>(set.features.dim(1));
  const std::span<const float> from = std::as_const(set.features).as<float>();
  const std::span<float> to = sorted.features.as<float>();
  for (size_t i = 0; i < order.size(); ++i) {
    sorted.paths.push_back(std::move(set.paths[order[i]]));
    sorted.ids.push_back(set.ids[order[i]]);
    sorted.cameras.push_back(set.cameras[order[i]]);
    std::copy_n(from.begin() + static_cast<int64_t>(order[i] * width), width,
                to.begin() + static_cast<int64_t>(i * width));
  }
  set = std::move(sorted);
}

void write_features(const std::filesystem::path& path, Features features) {
  SafetensorsWriter::Declared declared;
  for (auto& [kind, set] : features.sets) {
    const std::string name(name_of(kind));
    sort_by_path(set);
    check_writable(path, name, set);
    declared.push_back({name + ".features", {DType::F32, set.features.shape()}});
    declared.push_back({name + ".ids", {DType::I64, {set.rows()}}});
    declared.push_back({name + ".cameras", {DType::I64, {set.rows()}}});
  }
  const std::string metadata = metadata_of(features);
  if (metadata.size() > kMaxMetadataBytes)
    throw Error(
        ErrorKind::Unsupported,
        fmt::format("{}: too many images for one features file; split the work with --shard i/n and give "
                    "rank and evaluate all the files",
                    path.string()));
  SafetensorsWriter out(path, declared, {{"tyto", metadata}});
  for (const auto& [kind, set] : features.sets) {
    const std::string name(name_of(kind));
    out.append(name + ".features", set.features);
    out.append(name + ".ids", Tensor::of<int64_t>({set.rows()}, set.ids));
    out.append(name + ".cameras", Tensor::of<int64_t>({set.rows()}, set.cameras));
  }
  out.commit();
}

Features read_features_description(const std::filesystem::path& path) {
  return read_description(SafetensorsFile(path));
}

Features read_features(const std::filesystem::path& path) {
  const SafetensorsFile in(path);
  Features features = read_description(in);
  for (auto& [kind, set] : features.sets) read_tensors(in, std::string(name_of(kind)), set);
  return features;
}

}  // namespace tyto::apps
