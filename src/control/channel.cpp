#include "control/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <cstdlib>

#include "platform/clock.hpp"
#include "platform/socket.hpp"

namespace causeway::control {

namespace {

constexpr const char* kSystemPath = "/run/causeway/fabric.sock";

bool exists(const std::string& path) noexcept {
    struct statx facts {};
    return ::statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &facts) == 0;
}

// What to do about an adapter that is not there.
std::string advice() {
    return ": start causewayd --runtime-dir DIR, and set CAUSEWAY_SOCKET=DIR/fabric.sock or pass "
           "that path";
}

// Is it a mount point of its own: a socket file that was mounted into a container?
bool is_mounted_file(const std::string& path) noexcept {
    struct statx facts {};
    return ::statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &facts) == 0 &&
           (facts.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
           (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

Result<std::string> fabric_socket_path(std::string_view explicit_path) {
    if (!explicit_path.empty())
        return std::string(explicit_path);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* const chosen = std::getenv("CAUSEWAY_SOCKET");
    if (chosen != nullptr && chosen[0] != '\0')
        return std::string(chosen);
    if (exists(kSystemPath))
        return std::string(kSystemPath);
    std::string looked = std::string("$CAUSEWAY_SOCKET is not set, ") + kSystemPath;
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime != nullptr && runtime[0] != '\0') {
        std::string own = std::string(runtime) + "/causeway/fabric.sock";
        if (exists(own))
            return own;
        looked += " and " + own + " do not exist";
    } else {
        looked += " does not exist and $XDG_RUNTIME_DIR is not set";
    }
    return fail(ErrorCode::no_adapter, "no adapter found (" + looked + ")" + advice());
}

Channel::Channel(platform::UniqueFd connection)
    : connection_(std::move(connection)), reply_(abi::kMaxMessage) {}

Result<Channel> Channel::connect(const std::string& path, platform::Blocking blocking) {
    auto connection = platform::connect_to(path, blocking);
    if (connection.has_value())
        return Channel(std::move(*connection));
    Error error = std::move(connection).error();
    if (error.code == ErrorCode::no_adapter) {
        error.text = "no adapter listens at " + path + " (" + error.text + ")" + advice();
        if (is_mounted_file(path))
            error.text +=
                "; the socket is mounted as a file, which a restarted causewayd has replaced: "
                "mount "
                "its directory instead";
    } else if (error.code == ErrorCode::denied) {
        error.text +=
            "; the open entrance is for the adapter's own user, others come in by an entrance of "
            "their own (causewayd --entrance NAME)";
    }
    return tl::unexpected<Error>(std::move(error));
}

Result<std::span<const std::byte>> Channel::exchange(abi::Header& header,
                                                     std::span<std::byte> request, int descriptor,
                                                     platform::UniqueFd* received) {
    CW_TRY(send(header, request, descriptor));
    return take_reply(received);
}

Result<void> Channel::send(abi::Header& header, std::span<std::byte> request, int descriptor) {
    const char* const name = request_name(header.type);
    if (!connection_) {
        return fail_format(ErrorCode::adapter_gone,
                           "%s: the connection to the adapter has ended; attach anew", name);
    }
    header.sequence = ++sequence_;
    asked_ = header;

    // One request is outstanding, so there is always room: no waiting here.
    auto sending = platform::send_message(connection_.get(), request, descriptor);
    if (!sending.has_value()) {
        const Error& error = sending.error();
        // What the caller gave may be at fault, or a limit of this process; nothing was sent.
        if (error.code != ErrorCode::peer_gone && error.code != ErrorCode::again) {
            return fail_within(name, error);
        }
        close();
        return fail_format(ErrorCode::adapter_gone, "%s: the adapter has gone (%s); attach anew",
                           name, error.text.c_str());
    }
    return {};
}

bool Channel::answered() const noexcept {
    pollfd look{.fd = connection_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&look, 1, 0) > 0;
}

Result<std::span<const std::byte>> Channel::take_reply(platform::UniqueFd* received) {
    const abi::Header sent = asked_;
    const char* const name = request_name(sent.type);
    auto answer = platform::receive_message(connection_.get(), reply_, platform::Blocking::yes,
                                            platform::monotonic_ns() + patience_ns_);
    if (!answer.has_value()) {
        const Error error = std::move(answer).error();
        close();
        if (error.code == ErrorCode::timed_out) {
            return fail_format(ErrorCode::adapter_gone,
                               "%s: the adapter did not answer within %llu ms; look at its log",
                               name, static_cast<unsigned long long>(patience_ns_ / 1'000'000));
        }
        return fail_format(ErrorCode::adapter_gone,
                           "%s: the adapter ended the connection (%s); its log says why", name,
                           error.text.c_str());
    }

    const auto bytes = std::span<const std::byte>(reply_).first(answer->size);
    const auto breach = [&](const char* what) {
        close();
        return fail_format(ErrorCode::protocol, "%s: the adapter's reply %s; connection closed",
                           name, what);
    };
    if (answer->truncated)
        return breach("is longer than any message may be");
    if (answer->too_many)
        return breach("brings more than one descriptor");
    if (answer->descriptor_lost) {
        // The adapter keeps its side of what this process could not take: out of step.
        close();
        return fail_format(ErrorCode::limit_reached,
                           "%s: this process has too many open files to take one more; raise "
                           "ulimit -n; connection closed",
                           name);
    }
    auto checked = check_reply(sent, bytes);
    if (!checked.has_value()) {
        // Only a header with an error that belongs to this request is an answer; all else a breach.
        const auto reply_header = parse_header(bytes);
        const bool answered = reply_header.has_value() && reply_header->error != 0 &&
                              reply_header->sequence == sent.sequence &&
                              reply_header->type == (sent.type | abi::kReplyBit);
        if (!answered)
            close();
        return tl::unexpected<Error>(std::move(checked).error());
    }
    if (received == nullptr && answer->descriptor)
        return breach("brings a descriptor uncalled");
    if (received != nullptr) {
        // An opened segment says itself whether it comes with one.
        if (!answer->descriptor &&
            sent.type != static_cast<std::uint16_t>(abi::Request::open_segment))
            return breach("lacks its descriptor");
        *received = std::move(answer->descriptor);
    }
    return bytes;
}

tl::unexpected<Error> Channel::stuck(abi::StatsKind kind, std::uint32_t cursor) {
    close();
    return fail_format(ErrorCode::protocol,
                       "stats of kind %u: the page after cursor %u leads back; connection closed",
                       static_cast<unsigned>(kind), cursor);
}

}  // namespace causeway::control
