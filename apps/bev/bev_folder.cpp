#include "apps/bev/bev_folder.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "files/file.h"
#include "files/json.h"
#include "files/json_object.h"
#include "tyto/error.h"

namespace tyto::apps {
namespace {

using nlohmann::ordered_json;

constexpr int kMaxNesting = 32;  // an identity holds a rule of preprocessing
constexpr uint64_t kMaxRunBytes = 256 << 20;
constexpr int64_t kMaxShards = int64_t{1} << 40, kMaxIndex = int64_t{1} << 40;

constexpr Named<bool> kRows[] = {{"x", true}, {"y", false}};
constexpr Named<bool> kFrames[] = {{"lidar", true}, {"ego", false}};

ordered_json json_of(const BevGridInfo& grid) {
  return {{"lower", grid.lower},
          {"step", grid.step},
          {"cells", grid.cells},
          {"rows", name_in(kRows, grid.rows_are_x)},
          {"frame", name_in(kFrames, grid.lidar_frame)}};
}

BevGridInfo grid_of(const JsonObject& json) {
  BevGridInfo grid{json.get<std::array<double, 3>>("lower"), json.get<std::array<double, 3>>("step"),
                   json.get<std::array<int, 3>>("cells"), json.get("rows", kRows),
                   json.get("frame", kFrames)};
  for (size_t axis = 0; axis < 3; ++axis)
    if (!(grid.step[axis] > 0) || grid.cells[axis] < 1) json.fail("has a cell without size, or no cells");
  return grid;
}

// A file below the folder: what others wrote is not followed anywhere else.
std::string file_in(const JsonObject& where, const std::string& name) {
  const std::filesystem::path path = name;
  bool below = !path.empty() && path.is_relative();
  for (const std::filesystem::path& part : path) below &= part != ".." && part != "." && !part.empty();
  if (!below) where.fail(fmt::format("names the file '{}', which is not below its folder", name));
  return name;
}

}  // namespace

std::string to_json_line(const BevLine& line) {
  ordered_json json = {{"id", line.id},
                       {"sequence", line.sequence},
                       {"index", line.index},
                       {"raw", line.raw},
                       {"grids", line.grids}};
  if (!line.picture.empty()) json["picture"] = line.picture;
  json["calibration_changed"] = line.calibration_changed;
  json["cells"] = ordered_json::object();
  for (const auto& [name, cells] : line.cells) json["cells"][name] = cells;
  return dump_json(json);
}

BevLine bev_line_from(const std::string& text, const std::filesystem::path& file, int64_t line_number) {
  const std::string where = fmt::format("{}: line {}", file.string(), line_number);
  const ordered_json parsed = parse_json(text, kMaxNesting, where);
  const JsonObject json(parsed, where);
  BevLine line{json.get<std::string>("id"), json.get<std::string>("sequence"),
               json.get<int64_t>("index", 0, kMaxIndex), file_in(json, json.get<std::string>("raw"))};
  for (const std::string& grid : json.get<std::vector<std::string>>("grids"))
    line.grids.push_back(file_in(json, grid));
  if (json.has("picture")) line.picture = file_in(json, json.get<std::string>("picture"));
  line.calibration_changed = json.get<bool>("calibration_changed");
  const JsonObject cells = json.object("cells");
  for (const auto& item : cells.value().items())
    line.cells.emplace_back(item.key(), cells.get<int64_t>(item.key(), 0, std::numeric_limits<int>::max()));
  return line;
}

void write_bev_run(const std::filesystem::path& folder, const BevRun& run) {
  ordered_json json = {{"identity", ordered_json::parse(run.identity)}, {"finished", run.finished}};
  if (run.shard) json["shard"] = fmt::format("{}/{}", run.shard->index, run.shard->count);
  json["grid"] = json_of(run.grid);
  json["classes"] = run.classes;
  json["skipped"] = ordered_json::array();
  for (const SkippedSample& s : run.skipped)
    json["skipped"].push_back({{"index", s.index}, {"message", s.message}});
  write_text(folder / "run.json", json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n');
}

BevRun read_bev_run(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "run.json";
  const ordered_json parsed = parse_json(read_text(path, kMaxRunBytes), kMaxNesting, path.string());
  const JsonObject json(parsed, path.string());
  BevRun run{dump_json(json.at("identity")), json.get<bool>("finished")};
  if (json.has("shard")) {
    const auto text = json.get<std::string>("shard");
    try {
      run.shard = shard_from(text);
    } catch (const Error&) {
      json.refuse("shard", "of the form i/n");
    }
  }
  run.grid = grid_of(json.object("grid"));
  run.classes = json.get<std::vector<std::string>>("classes");
  for (const ordered_json& element : json.list("skipped")) {
    const JsonObject skipped(element, path.string() + ": \"skipped\"");
    run.skipped.push_back(
        {skipped.get<int64_t>("index", -1, kMaxIndex), skipped.get<std::string>("message")});
  }
  return run;
}

void for_each_bev_line(const std::filesystem::path& folder,
                       const std::function<void(const BevLine&)>& visit) {
  const std::filesystem::path path = folder / "bev.jsonl";
  std::ifstream stream(path, std::ios::binary);
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) visit(bev_line_from(line, path, number));
  if (!stream.eof())  // a missing file, a folder, a failing disk
    throw Error(ErrorKind::File, fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno)));
}

}  // namespace tyto::apps
