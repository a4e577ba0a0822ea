#include "emulation/instrument/findings.h"

#include <sstream>

namespace emulation::instrument {
namespace {

std::string text(dim3 d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

bool is_race(FindingKind kind) {
  return kind == FindingKind::RaceInBlock || kind == FindingKind::RaceBetweenBlocks ||
         kind == FindingKind::OrderOfAtomics;
}

// How the first one came about, without the count.
std::string sentence(const Finding& finding, const Occurrence& first, AccessKind kind) {
  std::ostringstream out;
  out << finding.kernel << ", " << finding.line << ", block " << text(first.block) << ": thread "
      << first.thread << " ";
  const Conflict& other = first.conflict;
  switch (finding.kind) {
    case FindingKind::Bounds:
    case FindingKind::Misaligned:
    case FindingKind::MissedBarrier:
      out << first.detail;
      break;
    case FindingKind::Uninitialised:
      out << does(kind) << " memory that nothing wrote";
      break;
    case FindingKind::RaceInBlock:
      out << does(kind) << " what thread " << other.other_thread << " " << does(other.other_kind) << " at "
          << finding.other_line << ", with no barrier between them";
      break;
    case FindingKind::RaceBetweenBlocks:
      out << does(kind) << " what block " << text(first.other_block) << ", thread " << other.other_thread
          << " " << does(other.other_kind) << " at " << finding.other_line << ", and blocks have no order";
      break;
    case FindingKind::OrderOfAtomics:
      out << "atomically changes a float after ";
      if (other.between_blocks) out << "block " << text(first.other_block) << ", ";
      out << "thread " << other.other_thread << " does at " << finding.other_line
          << ", in no order, and rounds: other bits from run to run";
      break;
  }
  return out.str();
}

}  // namespace

const char* does(AccessKind kind) {
  switch (kind) {
    case AccessKind::Read:
      return "reads";
    case AccessKind::Write:
      return "writes";
    case AccessKind::Atomic:
      break;
  }
  return "atomically changes";
}

std::vector<Finding> findings_of(const std::string& kernel, const KernelRecord& record, SourceLines& lines) {
  std::vector<const void*> positions;
  for (const auto& [key, first] : record.occurrences)
    for (const SiteId site : {std::get<1>(key), std::get<2>(key)})
      positions.push_back(record.sites.position(site));
  lines.resolve(positions);

  std::map<std::tuple<FindingKind, std::string, std::string>, Finding> by_line;
  for (const auto& [key, first] : record.occurrences) {
    const auto [kind, site, other_site] = key;
    const std::string line = lines.at(record.sites.position(site));
    const std::string other_line = is_race(kind) ? lines.at(record.sites.position(other_site)) : "";
    Finding& finding = by_line[{kind, line, other_line}];
    if (finding.count == 0) {
      finding = {kind, kernel, line, other_line, first.block, first.thread, 0, {}};
      finding.message = sentence(finding, first, record.sites.kind(site));
    }
    finding.count += first.count;
  }
  std::vector<Finding> findings;
  for (auto& [key, finding] : by_line) {
    const std::string what = finding.kind == FindingKind::MissedBarrier ? "barrier" : "access";
    finding.message += finding.count == 1 ? " (1 " + what + ")"
                                          : " (" + std::to_string(finding.count) + " " + what +
                                                (what == "access" ? "es)" : "s)");
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace emulation::instrument
