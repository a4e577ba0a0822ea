#include "apps/reid/ranking_page.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "ranking_page_html.h"  // made of ranking_page.html by CMake

namespace tyto::apps {
namespace {

using nlohmann::json;

json rectangle(const cv::Rect& r) { return {r.x, r.y, r.width, r.height}; }

json entry_json(const RankingEntry& entry, const FeatureSet& queries, const FeatureSet& gallery) {
  const auto q = static_cast<size_t>(entry.ranking.query);
  json out = {{"path", queries.paths[q]}, {"id", queries.ids[q]}, {"camera", queries.cameras[q]}};
  if (!entry.picture.empty()) {
    out["picture"] = entry.picture;
    out["size"] = {entry.width, entry.height};
    out["box"] = rectangle(entry.images[0]);
  }
  out["images"] = json::array();
  for (size_t i = 0; i < entry.ranking.images.size(); ++i) {
    const Ranked& image = entry.ranking.images[i];
    const auto row = static_cast<size_t>(image.row);
    json item = {{"path", gallery.paths[row]}, {"id", gallery.ids[row]}, {"camera", gallery.cameras[row]}};
    item["score"] = std::isfinite(image.score) ? json(image.score) : json(nullptr);
    item["correct"] = image.correct ? json(*image.correct) : json(nullptr);
    if (!entry.picture.empty()) item["box"] = rectangle(entry.images[i + 1]);
    out["images"].push_back(std::move(item));
  }
  return out;
}

// JSON that can stand inside a <script> element: no '<' can end it.
std::string script_text(const json& data) {
  std::string out;
  for (const char c : data.dump()) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string ranking_page(const RankingPage& page, const FeatureSet& queries, const FeatureSet& gallery) {
  json data = {{"model", page.model.substr(0, 12)}, {"network", page.network}, {"dataset", page.dataset},
               {"feature", page.feature},           {"rule", page.rule},       {"gallery", gallery.rows()},
               {"queries", json::array()}};
  for (const RankingEntry& entry : page.entries)
    data["queries"].push_back(entry_json(entry, queries, gallery));

  std::string html = kRankingPage;
  constexpr std::string_view kPlaceholder = "{{DATA}}";
  html.replace(html.find(kPlaceholder), kPlaceholder.size(), script_text(data));
  return html;
}

}  // namespace tyto::apps
