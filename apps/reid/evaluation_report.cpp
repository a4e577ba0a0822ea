#include "apps/reid/evaluation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>

#include "apps/outputs.h"
#include "apps/reid/cmc_picture.h"
#include "files/file.h"

namespace tyto::apps {
namespace {

constexpr int64_t kMaxRank = 50;

}  // namespace

std::string evaluation_text(const Evaluation& e) {
  std::string text = fmt::format("{}\n{} queries, {} with a match among {} gallery images\n\n",
                                 describe(e.protocol), e.queries, e.valid_queries, e.gallery);
  for (const int64_t k : {1, 5, 10})
    text += fmt::format("{:8} {:6.2f} %\n", fmt::format("Rank@{}", k), e.rank(k) * 100);
  return text + fmt::format("{:8} {:6.2f} %\n{:8} {:6.2f} %\n", "mAP", e.map * 100, "mINP", e.minp * 100);
}

std::string evaluation_json(const Evaluation& e) {
  const std::vector<double> cmc(e.cmc.begin(), e.cmc.begin() + std::min(kMaxRank, e.gallery));
  const nlohmann::ordered_json j = {{"protocol", e.protocol.name},
                                    {"cameras", tyto::name_of(e.protocol.cameras)},
                                    {"ap", name_of(e.protocol.ap)},
                                    {"divisor", name_of(e.protocol.divisor)},
                                    {"cmc_counts", name_of(e.protocol.cmc)},
                                    {"queries", e.queries},
                                    {"valid_queries", e.valid_queries},
                                    {"gallery", e.gallery},
                                    {"rank1", e.rank(1)},
                                    {"rank5", e.rank(5)},
                                    {"rank10", e.rank(10)},
                                    {"map", e.map},
                                    {"minp", e.minp},
                                    {"cmc", cmc}};
  return j.dump();
}

void write_evaluation_report(const Evaluation& evaluation, const std::filesystem::path& folder) {
  make_folder(folder);
  write_text(folder / "evaluation.json", evaluation_json(evaluation) + '\n');
  write_text(folder / "cmc.svg", cmc_svg(evaluation));
  std::vector<uint8_t> png;
  if (!cv::imencode(".png", cmc_picture(evaluation), png))
    throw Error(ErrorKind::File, fmt::format("{}: OpenCV cannot write PNG", (folder / "cmc.png").string()));
  AtomicFile file(folder / "cmc.png");
  file.write(png.data(), png.size());
  file.commit();
}

}  // namespace tyto::apps
