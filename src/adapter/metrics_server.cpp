#include "adapter/metrics_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "adapter/metrics_http.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kRest = 19;  // times as long as a snapshot took
constexpr std::uint64_t kSnapshotLimitNs = 2'000'000'000;
constexpr std::uint64_t kAcceptPauseNs = 100'000'000;
constexpr int kSendBuffer = 256 << 10;
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";

struct Bound {
    platform::UniqueFd listener;
    std::uint16_t port = 0;
};

// The address in the kernel's words; its length.
socklen_t fill(sockaddr_storage& storage, const MetricsAddress& address) {
    if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
        ::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address.port);
        return sizeof *v4;
    }
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    (void)::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    return sizeof *v6;
}

Result<Bound> listen_at(const MetricsAddress& address) {
    sockaddr_storage storage{};
    socklen_t length = fill(storage, address);
    Bound bound;
    bound.listener = platform::UniqueFd(
        ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int fd = bound.listener.get();
    const int on = 1;
    if (fd < 0)
        return fail_errno("a socket for metrics", errno);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto* const generic = reinterpret_cast<sockaddr*>(&storage);
    if (::bind(fd, generic, length) != 0 || ::listen(fd, 64) != 0 ||
        ::getsockname(fd, generic, &length) != 0) {
        return fail_errno_format(errno, "metrics at %s port %u", address.host.c_str(),
                                 static_cast<unsigned>(address.port));
    }
    bound.port =
        ntohs(storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&storage)->sin_port
                                           : reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
    return bound;
}

// Where a snapshot is handed over. Outlives the server, as a task in the inbox may.
struct Mailbox {
    explicit Mailbox(platform::UniqueFd event) : ready(std::move(event)) {}
    platform::UniqueFd ready;
    std::mutex mutex;
    bool open = true;               // guarded by the mutex, as are:
    std::optional<Snapshot> fresh;  // not fetched yet
    std::uint64_t took_ns = 0;
};

}  // namespace

class MetricsServer::Loop {
public:
    Loop(platform::UniqueFd listener, platform::UniqueFd stop, std::shared_ptr<Mailbox> mailbox,
         std::shared_ptr<Inbox> inbox, std::function<Snapshot()> take)
        : listener_(std::move(listener)),
          stop_(std::move(stop)),
          mailbox_(std::move(mailbox)),
          inbox_(std::move(inbox)),
          take_(std::move(take)) {}
    ~Loop() {
        {
            const std::lock_guard lock(mailbox_->mutex);
            mailbox_->open = false;
        }
        (void)::eventfd_write(stop_.get(), 1);
        if (thread_.joinable())
            thread_.join();
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    void start() {
        thread_ = std::thread([this] { run(); });
    }

private:
    struct Connection {
        enum class State { reading, waiting, writing };
        platform::UniqueFd fd;
        State state = State::reading;
        HttpBody body = HttpBody::whole;
        std::uint64_t deadline_ns = 0;
        std::string in;
        std::string out;
        std::size_t written = 0;
        bool over = false;
    };
    using State = Connection::State;

    void run();
    [[nodiscard]] int timeout_ms(std::uint64_t now) const;
    void accept_some(std::uint64_t now);
    void make_room();
    void read_from(Connection& it, std::uint64_t now);
    void write_to(Connection& it);
    void begin_writing(Connection& it, std::string out);
    void want_snapshot(Connection& it, std::uint64_t now);
    void take_snapshot_in(std::uint64_t now);
    void drop_late(std::uint64_t now);

    platform::UniqueFd listener_;
    platform::UniqueFd stop_;
    std::shared_ptr<Mailbox> mailbox_;
    std::shared_ptr<Inbox> inbox_;
    std::function<Snapshot()> take_;
    std::list<Connection> connections_;  // oldest first
    std::string text_;                   // of the last snapshot
    std::uint64_t next_snapshot_ns_ = 0;
    std::uint64_t asked_ns_ = 0;  // 0: no snapshot is under way
    std::uint64_t accept_again_ns_ = 0;
    std::thread thread_;
};

void MetricsServer::Loop::run() {
    ::pthread_setname_np(::pthread_self(), "cw-metrics");
    std::vector<pollfd> fds;
    std::vector<Connection*> polled;
    while (true) {
        std::uint64_t now = platform::monotonic_ns();
        fds = {{stop_.get(), POLLIN, 0}, {mailbox_->ready.get(), POLLIN, 0}};
        fds.push_back({now >= accept_again_ns_ ? listener_.get() : -1, POLLIN, 0});
        polled.clear();
        for (Connection& it : connections_) {
            // One that waits is looked at only for its end.
            const short events = it.state == State::reading   ? POLLIN
                                 : it.state == State::writing ? POLLOUT
                                                              : 0;
            fds.push_back({it.fd.get(), events, 0});
            polled.push_back(&it);
        }
        (void)::poll(fds.data(), fds.size(), timeout_ms(now));
        if (fds[0].revents != 0)
            return;
        now = platform::monotonic_ns();
        for (std::size_t i = 0; i < polled.size(); ++i) {
            Connection& it = *polled[i];
            const short events = fds[i + 3].revents;
            if (events == 0)
                continue;
            if (it.state == State::reading)
                read_from(it, now);
            else if (it.state == State::writing && (events & POLLERR) == 0)
                write_to(it);
            else
                it.over = true;
        }
        if (fds[1].revents != 0)
            take_snapshot_in(now);
        drop_late(now);
        if (fds[2].revents != 0)
            accept_some(now);
    }
}

int MetricsServer::Loop::timeout_ms(std::uint64_t now) const {
    std::uint64_t first = UINT64_MAX;
    for (const Connection& it : connections_)
        first = std::min(first, it.deadline_ns);
    if (now < accept_again_ns_)
        first = std::min(first, accept_again_ns_);
    if (first == UINT64_MAX)
        return -1;
    return first <= now ? 0 : static_cast<int>((first - now) / 1'000'000 + 1);
}

void MetricsServer::Loop::accept_some(std::uint64_t now) {
    for (std::size_t i = 0; i < kMostConnections; ++i) {
        platform::UniqueFd fd(
            ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            // Without descriptors the listener would stay readable for ever.
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                accept_again_ns_ = now + kAcceptPauseNs;
            return;
        }
        if (connections_.size() >= kMostConnections)
            make_room();
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
        Connection& it = connections_.emplace_back();
        it.fd = std::move(fd);
        it.deadline_ns = now + kPatienceNs;
    }
}

void MetricsServer::Loop::make_room() {
    const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                   [](const Connection& it) { return it.state == State::reading; });
    connections_.erase(idle != connections_.end() ? idle : connections_.begin());
}

void MetricsServer::Loop::read_from(Connection& it, std::uint64_t now) {
    std::array<char, 2048> bytes;
    const ssize_t n = ::recv(it.fd.get(), bytes.data(), bytes.size(), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        it.over = true;
    if (n <= 0)
        return;
    it.in.append(bytes.data(), static_cast<std::size_t>(n));
    const auto request = parse_http(it.in);
    if (!request)
        return;
    it.in = std::string();
    it.body = request->body;
    if (request->wish == HttpWish::metrics)
        want_snapshot(it, now);
    else
        begin_writing(it, http_answer(*request));
}

void MetricsServer::Loop::want_snapshot(Connection& it, std::uint64_t now) {
    if (!text_.empty() && now < next_snapshot_ns_) {
        begin_writing(it, http_response(200, kPrometheus, text_, it.body));
        return;
    }
    it.state = State::waiting;
    it.deadline_ns = std::min(it.deadline_ns, now + kSnapshotLimitNs);
    if (asked_ns_ != 0)
        return;
    asked_ns_ = now;
    inbox_->post([mailbox = mailbox_, take = take_] {
        const std::lock_guard lock(mailbox->mutex);
        if (!mailbox->open)
            return;  // whose snapshot this would be may be gone as well
        const std::uint64_t before = platform::monotonic_ns();
        mailbox->fresh = take();
        mailbox->took_ns = platform::monotonic_ns() - before;
        (void)::eventfd_write(mailbox->ready.get(), 1);
    });
}

void MetricsServer::Loop::take_snapshot_in(std::uint64_t now) {
    eventfd_t count = 0;
    (void)::eventfd_read(mailbox_->ready.get(), &count);
    std::optional<Snapshot> snapshot;
    {
        const std::lock_guard lock(mailbox_->mutex);
        snapshot = std::move(mailbox_->fresh);
        mailbox_->fresh.reset();
        next_snapshot_ns_ = now + kRest * mailbox_->took_ns;
    }
    if (!snapshot)
        return;
    asked_ns_ = 0;
    text_ = metrics_text(*snapshot);
    for (Connection& it : connections_) {
        if (it.state == State::waiting && !it.over)
            begin_writing(it, http_response(200, kPrometheus, text_, it.body));
    }
}

void MetricsServer::Loop::begin_writing(Connection& it, std::string out) {
    it.state = State::writing;
    it.out = std::move(out);
    write_to(it);
}

void MetricsServer::Loop::write_to(Connection& it) {
    while (it.written < it.out.size()) {
        const ssize_t n = ::send(it.fd.get(), it.out.data() + it.written,
                                 it.out.size() - it.written, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        it.written += static_cast<std::size_t>(n);
    }
    // What it still sends would make the kernel take back what it was sent; so it is read off.
    ::shutdown(it.fd.get(), SHUT_WR);
    std::array<char, 2048> rest;
    for (int i = 0; i < 8 && ::recv(it.fd.get(), rest.data(), rest.size(), 0) > 0; ++i) {}
    it.over = true;
}

void MetricsServer::Loop::drop_late(std::uint64_t now) {
    for (Connection& it : connections_) {
        if (it.over || now < it.deadline_ns)
            continue;
        if (it.state == State::waiting) {
            it.deadline_ns = now + kSnapshotLimitNs;
            begin_writing(it, http_response(503, "text/plain; charset=utf-8",
                                            "the adapter does not answer in time\n", it.body));
        } else {
            it.over = true;
        }
    }
    connections_.remove_if([](const Connection& it) { return it.over; });
}

MetricsServer::MetricsServer() = default;
MetricsServer::~MetricsServer() = default;

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& address,
                                                            std::shared_ptr<Inbox> inbox,
                                                            std::function<Snapshot()> take,
                                                            const Log& log) {
    CW_TRY_ASSIGN(const MetricsAddress where, parse_metrics_address(address));
    CW_TRY_ASSIGN(Bound bound, listen_at(where));
    platform::UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    platform::UniqueFd ready(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop || !ready)
        return fail_errno("eventfd for metrics", errno);
    std::unique_ptr<MetricsServer> server(new MetricsServer());
    server->port_ = bound.port;
    server->loop_ = std::make_unique<Loop>(std::move(bound.listener), std::move(stop),
                                           std::make_shared<Mailbox>(std::move(ready)),
                                           std::move(inbox), std::move(take));
    try {
        server->loop_->start();
    } catch (const std::system_error& error) {
        return fail(ErrorCode::no_memory, std::string("a thread for metrics: ") + error.what());
    }
    const bool v6 = where.host.find(':') != std::string::npos;
    const std::string url = fmt::format("http://{}{}{}:{}/metrics", v6 ? "[" : "", where.host,
                                        v6 ? "]" : "", bound.port);
    if (where.loopback)
        log->info("metrics: {}", url);
    else
        log->warn("metrics: {}: whoever reaches that address may read them", url);
    return server;
}

}  // namespace causeway::adapter
