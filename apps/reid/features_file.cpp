#include "apps/reid/features_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "files/json.h"
#include "files/json_object.h"
#include "files/named.h"
#include "files/safetensors.h"
#include "files/utf8.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kOneMatrix = 1, kNamedMatrices = 2;  // versions
constexpr const char* kKind = "features";
constexpr Named<SetKind> kSetNames[] = {
    {"query", SetKind::Query}, {"gallery", SetKind::Gallery}, {"multi_query", SetKind::MultiQuery}};
constexpr size_t kMaxMetadataBytes =
    90'000'000;  // a safetensors header ends at 100 MB; quotes are escaped in it
constexpr size_t kMaxScales = 64, kMaxMatrices = 64;
constexpr int64_t kMaxShards = 1'000'000, kMaxSplits = 1'000'000;

[[noreturn]] void bad(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorKind::Format, fmt::format("{}: {}", file.string(), what));
}

// --- metadata ---

int version_of(const Provenance& provenance) {
  return provenance.features == Provenance{}.features ? kOneMatrix : kNamedMatrices;
}

std::string metadata_of(const Features& f) {
  ordered_json j;
  j["kind"] = kKind;
  j["version"] = version_of(f.provenance);
  j["model"] = f.provenance.model;
  j["network"] = f.provenance.network;
  j["rule"] = f.provenance.rule;
  j["precision"] = f.provenance.precision;
  j["flip"] = f.provenance.flip;
  j["scales"] = f.provenance.scales;
  j["exif"] = f.provenance.exif;
  j["dataset"] = f.provenance.dataset;
  if (f.provenance.split) j["split"] = *f.provenance.split;
  if (version_of(f.provenance) == kNamedMatrices) j["features"] = f.provenance.features;
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

// Each is a tensor's name in every set.
bool are_names_of_matrices(const std::vector<std::string>& names) {
  std::set<std::string> seen = {"", "ids", "cameras"};
  return !names.empty() && names.size() <= kMaxMatrices &&
         std::ranges::all_of(names, [&](const std::string& name) { return seen.insert(name).second; });
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
  if (from.get<int64_t>("version") == kNamedMatrices) {
    m.features = from.get<std::vector<std::string>>("features");
    if (!are_names_of_matrices(m.features))
      from.refuse("features", fmt::format("a list of 1 to {} names that differ from each other, from 'ids' "
                                          "and from 'cameras'",
                                          kMaxMatrices));
  }
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

void read_tensors(const SafetensorsFile& in, const std::string& name,
                  const std::vector<std::string>& matrices, FeatureSet& set) {
  for (const std::string& matrix : matrices)
    set.features.push_back(read_tensor(in, name + "." + matrix, DType::F32, 2, set.rows()));
  set.ids = read_numbers(in, name + ".ids", set.rows());
  set.cameras = read_numbers(in, name + ".cameras", set.rows());
}

Features read_description(const SafetensorsFile& in) {
  const ordered_json metadata = parse_metadata(in);
  const std::filesystem::path& path = in.path();
  const JsonObject from(metadata, path.string() + ": its metadata");
  if (!from.has("kind") || from.get<std::string>("kind") != kKind)
    bad(path, "not a features file; write one with `tyto extract`");
  if (const auto version = from.get<int64_t>("version"); version != kOneMatrix && version != kNamedMatrices)
    throw Error(ErrorKind::Unsupported,
                fmt::format("{}: features of format version {}, this tyto reads versions {} and {}",
                            path.string(), version, kOneMatrix, kNamedMatrices));
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

void check_writable(const std::filesystem::path& file, std::string_view name,
                    const std::vector<std::string>& matrices, const FeatureSet& set) {
  const auto rows = set.paths.size();
  const auto fits = [&](const Tensor& t) {
    return t.dtype() == DType::F32 && t.shape().rank() == 2 && t.dim(0) == set.rows();
  };
  if (set.ids.size() != rows || set.cameras.size() != rows || set.features.size() != matrices.size() ||
      !std::ranges::all_of(set.features, fits)) {
    std::string shapes;
    for (const Tensor& t : set.features) shapes += fmt::format(" {} {}", name_of(t.dtype()), t.shape().str());
    throw Error(
        ErrorKind::Shape,
        fmt::format("{}: the {} set has {} paths, {} identities, {} cameras and features{}, called {}",
                    file.string(), name, rows, set.ids.size(), set.cameras.size(), shapes,
                    fmt::join(matrices, ", ")));
  }
}

// Of a sorted set.
void check_names(const std::filesystem::path& file, std::string_view name, const FeatureSet& set) {
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

Tensor rows_of(const Tensor& matrix, const std::vector<size_t>& rows) {
  Tensor out(DType::F32, matrix.shape());
  const auto width = static_cast<size_t>(matrix.dim(1));
  const std::span<const float> from = matrix.as<float>();
  auto to = out.as<float>().begin();
  for (const size_t row : rows) to = std::ranges::copy(from.subspan(row * width, width), to).out;
  return out;
}

// Leaves the names of the matrices that are wanted.
void choose(const std::filesystem::path& file, const std::string& feature, std::vector<std::string>& names) {
  if (!feature.empty() && std::ranges::find(names, feature) == names.end())
    throw Error(ErrorKind::Usage, fmt::format("{} has no features '{}'; it has {}", file.string(), feature,
                                              fmt::join(names, ", ")));
  names = {feature.empty() ? names.front() : feature};
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
  for (const size_t i : order) {
    sorted.paths.push_back(std::move(set.paths[i]));
    sorted.ids.push_back(set.ids[i]);
    sorted.cameras.push_back(set.cameras[i]);
  }
  for (const Tensor& features : set.features) sorted.features.push_back(rows_of(features, order));
  set = std::move(sorted);
}

void write_features(const std::filesystem::path& path, Features features) {
  const std::vector<std::string>& matrices = features.provenance.features;
  SafetensorsWriter::Declared declared;
  for (auto& [kind, set] : features.sets) {
    const std::string name(name_of(kind));
    check_writable(path, name, matrices, set);
    sort_by_path(set);
    check_names(path, name, set);
    for (size_t i = 0; i < matrices.size(); ++i)
      declared.push_back({name + "." + matrices[i], {DType::F32, set.features[i].shape()}});
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
    for (size_t i = 0; i < matrices.size(); ++i) out.append(name + "." + matrices[i], set.features[i]);
    out.append(name + ".ids", Tensor::of<int64_t>({set.rows()}, set.ids));
    out.append(name + ".cameras", Tensor::of<int64_t>({set.rows()}, set.cameras));
  }
  out.commit();
}

Features read_features_description(const std::filesystem::path& path) {
  return read_description(SafetensorsFile(path));
}

Features read_features(const std::filesystem::path& path, const std::optional<std::string>& feature) {
  const SafetensorsFile in(path);
  Features features = read_description(in);
  std::vector<std::string>& matrices = features.provenance.features;
  if (feature) choose(path, *feature, matrices);
  for (auto& [kind, set] : features.sets) read_tensors(in, std::string(name_of(kind)), matrices, set);
  return features;
}

}  // namespace tyto::apps
