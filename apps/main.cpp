// tyto: runs trained perception networks over files. One file a subcommand in commands/.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

#include "apps/command.h"
#include "apps/console.h"
#include "tyto/error.h"
#include "tyto/version.h"

namespace {

constexpr int kFailed = 1, kWrongUsage = 2, kSignalBase = 128;

int run(int argc, char** argv) {
  using namespace tyto::apps;
  CLI::App app{"tyto: runs trained perception networks over images, without Python.", "tyto"};
  app.set_version_flag("--version", tyto::kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but inputs were skipped, 130/143 interrupted.");
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "say nothing but warnings and errors");

  Run command;
  add_convert(app, command);
  add_inspect(app, command);
  add_detect(app, command);
  add_extract(app, command);
  add_rank(app, command);
  add_evaluate(app, command);
  add_merge(app, command);
  add_run(app, command);
  add_info(app, command);
  add_selftest(app, command);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::string called = "tyto";
    for (const CLI::App* subcommand : app.get_subcommands()) called += " " + subcommand->get_name();
    warning(fmt::format("{}; see `{} --help`", e.what(), called));
    return kWrongUsage;
  }
  if (quiet) set_quiet();
  const int code = command();
  check_interrupted();           // it may not have looked
  if (std::fflush(stdout) != 0)  // a full disk shows here, or not at all
    throw tyto::Error(tyto::ErrorKind::File,
                      fmt::format("standard output: cannot write: {}", std::strerror(errno)));
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tyto::apps;
  install_interrupt_handlers();
  try {
    return run(argc, argv);
  } catch (const tyto::Error& e) {
    warning(e.what());
    return e.kind() == tyto::ErrorKind::Usage ? kWrongUsage : kFailed;
  } catch (const Interrupted& i) {
    warning("interrupted; what was finished is on disk");
    return kSignalBase + i.signal;
  } catch (const std::filesystem::filesystem_error& e) {
    warning(fmt::format("{}: {}", e.path1().string(), e.code().message()));
  } catch (const std::system_error& e) {
    warning(std::ferror(stdout) != 0 ? fmt::format("standard output: cannot write: {}", e.code().message())
                                     : e.what());
  } catch (const std::bad_alloc&) {
    warning("out of memory; use a smaller --batch or --memory-limit");
  } catch (const std::exception& e) {
    warning(std::string("unexpected: ") + e.what());
  }
  return kFailed;
}
