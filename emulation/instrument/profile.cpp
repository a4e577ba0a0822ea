// The sums of a profile, and its table.
#include <iomanip>
#include <ostream>
#include <string>

#include "emulation/instrument/instrument.h"

namespace emulation::instrument {
namespace {

// "1.00", or "-" where there was nothing.
std::string ratio(int64_t actual, int64_t ideal) {
  if (ideal == 0) return "-";
  const int64_t hundredths = (100 * actual + ideal / 2) / ideal;
  const std::string fraction = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (fraction.size() == 1 ? "0" : "") + fraction;
}

void print_row(const std::string& name, const Counts& c, std::ostream& out) {
  out << "  " << std::left << std::setw(48) << name << std::right;
  for (const int64_t number : {c.requests(), c.sectors}) out << std::setw(12) << number;
  out << std::setw(8) << ratio(c.sectors, c.ideal_sectors);
  for (const int64_t number : {c.global_bytes_read, c.global_bytes_written}) out << std::setw(13) << number;
  out << std::setw(12) << c.wavefronts << std::setw(8) << ratio(c.wavefronts, c.ideal_wavefronts);
  out << std::setw(10) << c.atomics << std::setw(7) << ratio(c.lanes, c.requests()) << std::setw(12)
      << c.products() << "\n";
}

}  // namespace

Counts& Counts::operator+=(const Counts& c) {
  global_requests += c.global_requests;
  global_bytes_read += c.global_bytes_read;
  global_bytes_written += c.global_bytes_written;
  sectors += c.sectors;
  ideal_sectors += c.ideal_sectors;
  shared_requests += c.shared_requests;
  shared_bytes_read += c.shared_bytes_read;
  shared_bytes_written += c.shared_bytes_written;
  wavefronts += c.wavefronts;
  ideal_wavefronts += c.ideal_wavefronts;
  lanes += c.lanes;
  atomics += c.atomics;
  local_bytes += c.local_bytes;
  half_products += c.half_products;
  tf32_products += c.tf32_products;
  return *this;
}

Counts KernelProfile::total() const {
  Counts sum;
  for (const LineProfile& line : lines) sum += line.counts;
  return sum;
}

void print_profile(const Profile& profile, std::ostream& out) {
  for (const KernelProfile& kernel : profile) {
    out << kernel.kernel << ", " << kernel.launches.size()
        << (kernel.launches.size() == 1 ? " launch" : " launches") << "\n";
    out << "  " << std::left << std::setw(48) << "line" << std::right << std::setw(12) << "requests"
        << std::setw(12) << "sectors" << std::setw(8) << "/ideal" << std::setw(13) << "bytes read"
        << std::setw(13) << "written" << std::setw(12) << "wavefronts" << std::setw(8) << "/ideal"
        << std::setw(10) << "atomics" << std::setw(7) << "lanes" << std::setw(12) << "products"
        << "\n";
    for (const LineProfile& line : kernel.lines)
      if (line.counts.requests() + line.counts.products() > 0) print_row(line.line, line.counts, out);
    print_row("all", kernel.total(), out);
  }
}

void print_launches(const Profile& profile, std::ostream& out) {
  out << "kernel\tblocks\tthreads\tdynamic_shared_bytes\tglobal_requests\tsectors\tdistinct_bytes\tshared_"
         "requests\t"
         "wavefronts\tatomics\tmost_atomics_on_one_address\tblock_barriers\thalf_products\ttf32_"
         "products\toperations\texponentials\n";
  const auto volume = [](dim3 d) { return int64_t{d.x} * d.y * d.z; };
  for (const KernelProfile& kernel : profile)
    for (const LaunchProfile& launch : kernel.launches) {
      const Counts& c = launch.counts;
      out << kernel.kernel;
      for (const int64_t number :
           {volume(launch.grid), volume(launch.block), static_cast<int64_t>(launch.dynamic_shared_bytes),
            c.global_requests, c.sectors, launch.distinct_bytes_read + launch.distinct_bytes_written,
            c.shared_requests, c.wavefronts, c.atomics, launch.most_atomics_on_one_address,
            launch.block_barriers, c.half_products, c.tf32_products, static_cast<int64_t>(launch.operations),
            static_cast<int64_t>(launch.exponentials)})
        out << "\t" << number;
      out << "\n";
    }
}

}  // namespace emulation::instrument
