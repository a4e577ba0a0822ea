// tyto info: what would run here, and on what.
#include <fmt/format.h>
#include <matio.h>
#include <openssl/crypto.h>
#include <zip.h>
#include <opencv2/core/utility.hpp>

#include "apps/command.h"
#include "apps/commands/engine_flags.h"
#include "apps/images/ffmpeg.h"
#include "engine/networks/network.h"
#include "files/json.h"
#include "tyto/version.h"

namespace tyto::apps {
namespace {

std::string matio_version() {
  int major = 0, minor = 0, release = 0;
  Mat_GetLibraryVersion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

int run(const EngineFlags& flags, bool json) {
  ContextOptions quiet = context_options(flags);
  quiet.notice = nullptr;
  const Context context(quiet);
  std::vector<std::pair<std::string, std::string>> facts = {{"tyto", kVersion}};
  for (auto& fact : context.describe()) facts.push_back(std::move(fact));
  for (auto& fact : describe_gpus()) facts.push_back(std::move(fact));
  facts.emplace_back("OpenCV", cv::getVersionString());
  facts.emplace_back("FFmpeg", ffmpeg_version());
  facts.emplace_back("OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING));
  facts.emplace_back("libzip", zip_libzip_version());
  facts.emplace_back("matio", matio_version());
  facts.emplace_back("compiler", __VERSION__);

  if (json) {
    nlohmann::ordered_json j;
    for (const auto& [name, value] : facts) j[name] = value;
    for (const Network& n : networks()) j["networks"].push_back({{"name", n.name}, {"summary", n.summary}});
    fmt::print("{}\n", dump_json(j));
    return kDone;
  }
  for (const auto& [name, value] : facts) fmt::print("{:16} {}\n", name, value);
  fmt::print("networks\n");
  for (const Network& n : networks()) {
    fmt::print("  {:30} {}\n", n.name, n.summary);
    for (const OptionSpec& o : n.options)
      fmt::print("  {:30}   --set {}={} ({})\n", "", o.name, o.default_value, o.help);
  }
  return kDone;
}

}  // namespace

void add_info(CLI::App& app, Run& command) {
  auto flags = std::make_shared<EngineFlags>();
  auto json = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("info", "print device, libraries, instruction set and known networks");
  add_engine_flags(*c, *flags);
  c->add_flag("--json", *json, "print a JSON object");
  c->callback([flags, json, &command] { command = [flags, json] { return run(*flags, *json); }; });
}

}  // namespace tyto::apps
