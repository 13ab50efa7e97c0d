#include "adapter/server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "adapter/configured.hpp"
#include "platform/clock.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kShutDownLimitNs = 5'000'000'000;
constexpr int kLookMs = 100;  // while accepting is paused, or no thread is to be had

}  // namespace

Server::Server(ServerOptions options, Log log, RuntimeDirectory directory)
    : options_(std::move(options)),
      config_(with_entrances(options_.config, options_.entrances)),
      log_(std::move(log)),
      directory_(std::move(directory)) {}

Server::~Server() {
    metrics_.reset();
    // The movers go first: what they still have to say is dropped with the inbox. What that owns
    // may be strangers' files, for whose going nobody waits.
    fabric_.reset();
    SideThreads(1).post([inbox = std::move(inbox_)] {});
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Log log, GivenSockets given) {
    CW_TRY_ASSIGN(auto directory, RuntimeDirectory::open(options.runtime_directory));
    std::unique_ptr<Server> server(
        new Server(std::move(options), std::move(log), std::move(directory)));
    server->given_ = std::move(given);
    CW_TRY(server->set_up());
    return server;
}

Result<void> Server::set_up() {
    CW_TRY(check_entrance_names(options_.entrances));
    CW_TRY_ASSIGN(inbox_, Inbox::create());
    CW_TRY_ASSIGN(loop_, EventLoop::create());
    CW_TRY(loop_->add(inbox_->fd(), EPOLLIN, [this](std::uint32_t) { inbox_->run_all(); }));
    if (options_.stop_fd >= 0)
        CW_TRY(loop_->add(options_.stop_fd, EPOLLIN, [this](std::uint32_t) { stopping_ = true; }));
    CW_TRY_ASSIGN(auto journal, open_journal());
    FabricOptions fabric = options_.fabric;
    if (options_.config != nullptr) {
        fabric.quota = usual_quota(*config_, options_.fabric.quota);
        fabric.terms = terms_of(*config_, options_.fabric.quota);
        fabric.segments = segments_of(*config_);
    }
    CW_TRY_ASSIGN(
        fabric_,
        Fabric::start(
            std::move(fabric), log_, inbox_, make_policy(config_), std::move(journal),
            {.evict = [this](std::uint32_t id, const std::string& why) { end_session(id, why); },
             .close_aside =
                 [this](const std::string& entrance, platform::UniqueFd fd) {
                     close_left_behind(entrance, std::move(fd));
                 }}));
    last_session_ = fabric_->journal().numbers().last_session;
    CW_TRY(fabric_->audit().open(config_->adapter.audit_log));
    if (options_.reload_fd >= 0) {
        CW_TRY(
            loop_->add(options_.reload_fd, EPOLLIN, [this](std::uint32_t) { reload_on_signal(); }));
    }
    for (const auto& [name, partition] : config_->partitions) {
        CW_TRY_ASSIGN(const std::string path, directory_.make_entrance(name));
        CW_TRY(open_door(name, path));
    }
    CW_TRY(open_door("", directory_.open_socket_path()));
    CW_TRY(given_.check_all_taken(directory_.path()));
    return open_metrics();
}

Result<void> Server::open_metrics() {
    if (options_.metrics.empty())
        return {};
    CW_TRY_ASSIGN(metrics_,
                  MetricsServer::start(
                      options_.metrics, inbox_, [this] { return take_snapshot(*fabric_); }, log_));
    fabric_->count_files(static_cast<std::int64_t>(MetricsServer::kMostFiles));
    return {};
}

// Without patience for those that come back there is nothing to write down for them.
Result<std::unique_ptr<Journal>> Server::open_journal() {
    if (options_.fabric.resume_patience_ns == 0) {
        if (::unlinkat(directory_.fd(), kJournalName, 0) != 0 && errno != ENOENT)
            return fail_errno("remove the old journal from the runtime directory", errno);
        return Journal::in_memory();
    }
    std::string complaint;
    auto journal = Journal::open(directory_.fd(), complaint);
    if (!complaint.empty())
        log_->warn("{}", complaint);
    return journal;
}

Result<void> Server::open_door(const std::string& name, const std::string& path) {
    auto door = std::make_shared<Door>();
    if (platform::UniqueFd listener = given_.take(path)) {
        door->entrance = Entrance::on(std::move(listener), name, path);
    } else {
        CW_TRY_ASSIGN(door->entrance, Entrance::open(name, path));
    }
    CW_TRY_ASSIGN(door->watch, loop_->add(door->entrance->listener(), EPOLLIN,
                                          [this, door](std::uint32_t) { accept_some(door); }));
    log_->info("entrance {}: {}", door->entrance->label(), path);
    doors_.push_back(std::move(door));
    return {};
}

Result<void> Server::run() {
    while (!stopping_) {
        CW_TRY(loop_->run_once(next_timeout_ms()));
        tick();
    }
    return shut_down();
}

void Server::stop() {
    inbox_->post([this] { stopping_ = true; });
}

void Server::post(std::function<void(Fabric&)> change) {
    inbox_->post([this, change = std::move(change)] { change(*fabric_); });
}

int Server::next_timeout_ms() const {
    std::uint64_t soonest = UINT64_MAX;
    for (const auto& door : doors_) {
        if (door->unattached.empty())
            continue;
        // The front may have attached meanwhile; then this is a look too many, no more.
        const auto session = sessions_.find(door->unattached.front());
        const std::uint64_t since = session == sessions_.end() ? 0 : session->second->accepted_ns;
        soonest = std::min(soonest, since + options_.attach_patience_ns);
    }
    const bool stuck = std::any_of(doors_.begin(), doors_.end(),
                                   [](const auto& door) { return door->side.stuck(); });
    int timeout = accepting_paused_ || stuck || fabric_->expects_partitions() ? kLookMs : -1;
    if (soonest != UINT64_MAX) {
        const std::uint64_t now = platform::monotonic_ns();
        const std::uint64_t left = soonest > now ? (soonest - now) / 1'000'000 + 1 : 0;
        const int until = static_cast<int>(std::min<std::uint64_t>(left, 60'000));
        timeout = timeout < 0 ? until : std::min(timeout, until);
    }
    return timeout;
}

void Server::tick() {
    const std::uint64_t now = platform::monotonic_ns();
    drop_late_attachers(now);
    if (accepting_paused_ && now >= paused_until_ns_ && !fabric_->files_short())
        resume_accepting();
    for (const auto& door : doors_)
        door->side.try_again();
    if (fabric_->expects_partitions())
        fabric_->expire(now);
}

Result<void> Server::shut_down() {
    const bool resumable = fabric_->journal().lasting();
    log_->info("stopping: {} sessions {}", sessions_.size(),
               resumable ? "may go on with the next daemon" : "end");
    for (const auto& door : doors_)
        loop_->remove(door->watch);
    while (!sessions_.empty()) {
        const auto first = sessions_.begin();
        keep_partitions_ = resumable && !has_gone(*first->second);
        end_session(first->first, "the adapter stops");
    }
    for (const auto& door : doors_) {
        // Who waits to be accepted may have sent what hangs, too.
        door->side.post([listener = door->entrance->close()] {});
    }
    if (resumable && !fabric_->journal().all<PartitionCell>().empty())
        return {};  // everything stays as the journal has it
    const std::uint64_t deadline = platform::monotonic_ns() + kShutDownLimitNs;
    while (!fabric_->empty()) {
        if (platform::monotonic_ns() > deadline)
            return fail(ErrorCode::timed_out, "the movers did not come to rest in time");
        CW_TRY(loop_->run_once(100));
    }
    if (resumable && ::unlinkat(directory_.fd(), kJournalName, 0) != 0 && errno != ENOENT)
        return fail_errno("remove the journal, which nobody needs, from the runtime directory",
                          errno);
    return {};
}

}  // namespace causeway::adapter
