// tyto: runs trained perception networks over files. One file a subcommand in commands/.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "apps/command.h"
#include "apps/console.h"
#include "apps/spin_count.h"
#include "tyto/error.h"
#include "tyto/version.h"
#include "weights_converter/nearest.h"

namespace {

constexpr int kFailed = 1, kWrongUsage = 2, kSignalBase = 128;

// With those of its groups.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const CLI::App* group :
       app.get_subcommands([](const CLI::App* part) { return part->get_name().empty(); }))
    for (const std::string& name : option_names(*group)) names.push_back(name);
  return names;
}

// " (did you mean --batch?)"
std::string did_you_mean(const std::string& wrong, const std::vector<std::string>& names) {
  const std::string nearest = tyto::nearest_name(wrong, names);
  return nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest);
}

// CLI11 says only that a command is missing.
std::string explain_without_command(const CLI::App& app) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  if (app.remaining().empty())
    return fmt::format("which command? There are {}; see `tyto --help`", fmt::join(commands, ", "));
  const std::string wrong = app.remaining().front();
  const bool option = wrong.starts_with('-');
  const std::string hint = did_you_mean(wrong, option ? option_names(app) : commands);
  if (!option && hint.empty())
    return fmt::format("there is no command '{}'; there are {}; see `tyto --help`", wrong,
                       fmt::join(commands, ", "));
  return fmt::format("there is no {} '{}'{}; see `tyto --help`", option ? "option" : "command", wrong, hint);
}

std::string explain(const CLI::ParseError& error, const CLI::App& app) {
  if (app.get_subcommands().empty()) return explain_without_command(app);
  const CLI::App& command = *app.get_subcommands().front();
  std::vector<std::string> options = option_names(command);
  for (const std::string& name : option_names(app)) options.push_back(name);
  std::string hint;
  if (dynamic_cast<const CLI::ExtrasError*>(&error))
    for (const std::string& word : app.remaining(true))
      if (hint.empty() && word.starts_with("--"))
        hint = did_you_mean(word.substr(0, word.find('=')), options);
  return fmt::format("{}{}; see `tyto {} --help`", error.what(), hint, command.get_name());
}

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
  add_bev(app, command);
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
    warning(explain(e, app));
    return kWrongUsage;
  }
  if (app.get_subcommands().front()->get_option_no_throw("--threads")) limit_spinning(argv);  // it computes
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
