#include "collect/host/host_calls.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace sonde::collect {
namespace {

Error CallFailed(const char* call) {
  const int code = errno;
  const bool absent = code == ENOSYS || code == EPERM || code == EACCES ||
                      code == EPROTONOSUPPORT || code == EAFNOSUPPORT;
  return Error(absent ? ErrorKind::kNotFound : ErrorKind::kIo,
               std::string(call) + ": " + std::generic_category().message(code));
}

Result<HostName> ReadHostName() {
  utsname name{};
  if (::uname(&name) != 0) return CallFailed("uname");
  return HostName{name.sysname, name.release,  name.version,
                  name.machine, name.nodename, name.domainname};
}

Result<ClockDiscipline> ReadClockDiscipline() {
  timex raw{};
  const int state = ::adjtimex(&raw);
  if (state < 0) return CallFailed("adjtimex");
  const double fraction = (raw.status & STA_NANO) != 0 ? 1e9 : 1e6;
  constexpr double kScaledPpm = 65536.0 * 1e6;
  ClockDiscipline clock;
  clock.synchronised = state != TIME_ERROR;
  clock.offset_seconds = static_cast<double>(raw.offset) / fraction;
  clock.frequency_ratio = 1 + static_cast<double>(raw.freq) / kScaledPpm;
  clock.max_error_seconds = static_cast<double>(raw.maxerror) / 1e6;
  clock.estimated_error_seconds = static_cast<double>(raw.esterror) / 1e6;
  clock.status = raw.status;
  clock.loop_time_constant = static_cast<double>(raw.constant);
  clock.tick_seconds = static_cast<double>(raw.tick) / 1e6;
  clock.tai_offset_seconds = raw.tai;
  clock.pps_frequency_hertz = static_cast<double>(raw.ppsfreq) / kScaledPpm;
  clock.pps_jitter_seconds = static_cast<double>(raw.jitter) / fraction;
  clock.pps_shift_seconds = raw.shift;
  clock.pps_stability_hertz = static_cast<double>(raw.stabil) / kScaledPpm;
  clock.pps_jitter_total = static_cast<double>(raw.jitcnt);
  clock.pps_calibration_total = static_cast<double>(raw.calcnt);
  clock.pps_error_total = static_cast<double>(raw.errcnt);
  clock.pps_stability_exceeded_total = static_cast<double>(raw.stbcnt);
  return clock;
}

Result<FilesystemUsage> ReadFilesystemUsage(const std::string& path) {
  struct statfs raw {};
  if (::statfs(path.c_str(), &raw) != 0) {
    return Error(ErrorKind::kIo, std::generic_category().message(errno));
  }
  const auto block = static_cast<double>(raw.f_bsize);
  return FilesystemUsage{static_cast<double>(raw.f_blocks) * block,
                         static_cast<double>(raw.f_bfree) * block,
                         static_cast<double>(raw.f_bavail) * block,
                         static_cast<double>(raw.f_files), static_cast<double>(raw.f_ffree)};
}

// One answer of the kernel: a run of messages, one for each socket. True once the dump is complete.
bool CountSockets(const char* buffer, std::size_t size, TcpSockets& sockets) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
  std::size_t rest = size;
  for (; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
    if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) return true;
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) continue;
    const auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
    if (socket->idiag_state < sockets.states.size()) sockets.states[socket->idiag_state] += 1;
    sockets.rx_queued_bytes += socket->idiag_rqueue;
    sockets.tx_queued_bytes += socket->idiag_wqueue;
  }
  return false;
}

Status DumpSockets(int netlink, unsigned char family, TcpSockets& sockets) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } message{};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = family;
  message.request.sdiag_protocol = IPPROTO_TCP;
  message.request.idiag_states = 0xfff;
  if (::send(netlink, &message, sizeof(message), 0) < 0) return CallFailed("sock_diag");
  alignas(nlmsghdr) char buffer[32U << 10];
  while (true) {
    const ssize_t got = ::recv(netlink, buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CallFailed("sock_diag");
    if (got == 0 || CountSockets(buffer, static_cast<std::size_t>(got), sockets)) return OkStatus();
  }
}

Result<TcpSockets> ReadTcpSockets() {
  const int netlink = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return CallFailed("sock_diag");
  const timeval patience{1, 0};
  ::setsockopt(netlink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  TcpSockets sockets;
  Status status = DumpSockets(netlink, AF_INET, sockets);
  if (status) status = DumpSockets(netlink, AF_INET6, sockets);
  ::close(netlink);
  if (!status) return std::move(status).error();
  return sockets;
}

TimeZone ReadTimeZone() {
  const std::time_t now = ::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return {local.tm_zone != nullptr ? local.tm_zone : "UTC", static_cast<double>(local.tm_gmtoff)};
}

}  // namespace

HostCalls HostCalls::OfThisMachine() {
  return {ReadHostName, ReadClockDiscipline, ReadFilesystemUsage, ReadTcpSockets, ReadTimeZone};
}

}  // namespace sonde::collect
