// The server: the control thread's loop. It accepts connections at the entrances, reads one request
// per connection and round, sends replies, and notices when a partition's process has gone.
//
// Threading: start(), run() and destruction on one thread, the control thread; stop() from any.
// Ownership: owns entrances, sessions and the fabric.
//
// Invariants:
//  1. Nothing here waits for a client. A reply that cannot be sent at once ends its session; but
//     what the system does not take for others' sake (descriptors, when too many are on their way
//     in sockets of one user) is taken back and refused.
//  2. A session has at most one request under way; while it is answered late, it is not read.
//  3. A message that brings a descriptor is taken, and a connection or a descriptor that came is
//     closed, on a thread of its entrance: dropping a stranger's file may hang (a socket that
//     lingers, FUSE). That client is not read meanwhile, and an entrance with too much of it admits
//     nobody; others do not notice.
//  4. What a client can make the daemon hold is bounded: unattached connections per entrance and in
//     time, observers per entrance, everything else by quotas. When descriptors run out, accepting
//     pauses.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapter/entrance.hpp"
#include "adapter/event_loop.hpp"
#include "adapter/fabric.hpp"
#include "adapter/given_sockets.hpp"
#include "adapter/log.hpp"
#include "adapter/metrics_server.hpp"
#include "adapter/reply.hpp"
#include "adapter/requests.hpp"
#include "adapter/runtime_directory.hpp"
#include "adapter/session.hpp"
#include "control/server.hpp"

namespace causeway::adapter {

struct ServerOptions {
    std::string runtime_directory;
    std::vector<std::string> entrances;  // named ones beside the configured; the open one is there
    FabricOptions fabric;
    // Partitions with their entrances and identities, what they are given, and the policy. None:
    // nothing is configured.
    std::shared_ptr<const config::Config> config;
    // Reads the configuration again; called on the worker. Empty: there is nothing to read.
    std::function<config::Loaded()> reload;
    int reload_fd = -1;  // a signalfd: reload whenever it is readable; borrowed
    int stop_fd = -1;    // run() returns once this is readable; borrowed
    std::uint64_t attach_patience_ns = 5'000'000'000;
    std::uint32_t max_unattached = 64;  // connections per entrance that have not attached yet
    std::uint32_t max_observers = 16;   // per entrance
    std::string metrics;  // "ADDRESS:PORT" of the endpoint for Prometheus; empty: none
};

class Server {
public:
    // `given`: sockets of entrances that listen already.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, Log log,
                                                               GivenSockets given = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Serves until stop(); then ends all sessions and waits for the movers to let go of them.
    // Errors: timed_out, if they do not: the process should then exit without further ado.
    [[nodiscard]] Result<void> run();
    void stop();
    // Runs `change` on the control thread, between two requests; never, where that has ended. From
    // any thread.
    void post(std::function<void(Fabric&)> change);

    [[nodiscard]] const std::string& runtime_directory() const { return directory_.path(); }
    // On which metrics are given out; 0: they are not.
    [[nodiscard]] std::uint16_t metrics_port() const {
        return metrics_ != nullptr ? metrics_->port() : std::uint16_t{0};
    }

private:
    Server(ServerOptions options, Log log, RuntimeDirectory directory);
    [[nodiscard]] Result<std::unique_ptr<Journal>> open_journal();
    [[nodiscard]] Result<void> set_up();
    [[nodiscard]] Result<void> open_metrics();
    [[nodiscard]] Result<void> open_door(const std::string& name, const std::string& path);
    [[nodiscard]] int next_timeout_ms() const;
    void tick();
    [[nodiscard]] Result<void> shut_down();

    // server_accept.cpp
    void accept_some(const std::shared_ptr<Door>& door);
    void admit(const std::shared_ptr<Door>& door, platform::UniqueFd connection);
    [[nodiscard]] Result<void> watch(Session& session, int connection);
    [[nodiscard]] Result<void> watch_as(Session& session, int connection);
    void drop_oldest_unattached(Door& door);
    void drop_late_attachers(std::uint64_t now_ns);
    void pause_accepting(const std::string& why);
    void resume_accepting();
    void listen_again(Door& door);
    void leave_unattached(Session& session);

    // server_sessions.cpp
    void on_readable(std::uint32_t id, std::uint32_t events);
    void take(Session& session, Result<control::IncomingRequest> request);
    void take_aside(Session& session);
    void serve(Session& session, control::IncomingRequest request);
    void answer(Session& session, const abi::Header& header, Answer answer);
    void send(Session& session, const abi::Header& header, Result<Reply> reply);
    void read_again(Session& session);
    void close_stray(std::uint32_t id, const std::shared_ptr<Door>& door, platform::UniqueFd stray);
    void close_left_behind(const std::string& entrance, platform::UniqueFd fd);
    // Runs `work` on a thread of the door's own, then what it returns (if anything) back here.
    void do_aside(const std::shared_ptr<Door>& door, std::function<std::function<void()>()> work);
    [[nodiscard]] LateReply answer_later(Session& session, const abi::Header& header);
    void end_session(std::uint32_t id, const std::string& why);
    void complain(Session& session, const abi::Header& header, const Error& error);

    // server_configure.cpp
    [[nodiscard]] Result<void> check_identity(const Session& session,
                                              const abi::AttachRequest& request) const;
    void set_configuration(std::shared_ptr<const config::Config> config);
    [[nodiscard]] Answer reload(Session& session, const Call& call);
    void reload_on_signal();
    [[nodiscard]] Result<std::string> apply(config::Loaded loaded, std::uint32_t& cut);
    void open_new_doors(std::vector<std::string>& said);
    void close_old_doors();
    void evict_strangers();

    // server_attach.cpp
    [[nodiscard]] Answer attach(Session& session, const Call& call);
    [[nodiscard]] Result<Reply> attach_resumed(Session& session, const abi::Header& header,
                                               const abi::AttachRequest& request);
    [[nodiscard]] Result<void> renumber(Session& session, std::uint32_t id);
    void note_denied(const Session& session, const std::string& wanted, const char* rule,
                     const Error& error);
    [[nodiscard]] Result<Reply> attach_observer(Session& session, const abi::Header& header);
    [[nodiscard]] Answer attach_as(Session& session, const abi::Header& header,
                                   const std::string& name);
    [[nodiscard]] bool wait_for(Session& session, const abi::Header& header,
                                const std::string& name);
    [[nodiscard]] Result<Reply> attach_partition(Session& session, const abi::Header& header,
                                                 const std::string& name);
    [[nodiscard]] Result<Reply> attach_reply(const Session& session, const abi::Header& header,
                                             const std::string& name) const;
    void settle(Session& session, Session::State state);
    [[nodiscard]] bool has_gone(const Session& session) const;

    const ServerOptions options_;
    std::shared_ptr<const config::Config> config_;  // each of its partitions has an entrance
    bool reloading_ = false;
    Log log_;
    RuntimeDirectory directory_;
    std::shared_ptr<Inbox> inbox_;
    std::unique_ptr<EventLoop> loop_;
    GivenSockets given_;
    std::vector<std::shared_ptr<Door>> doors_;
    std::map<std::uint32_t, std::unique_ptr<Session>> sessions_;
    std::map<std::string, std::uint32_t> waiting_;  // for a name: which session
    std::uint32_t last_session_ = 0;
    bool stopping_ = false;
    bool keep_partitions_ = false;  // sessions end, but not for the journal
    bool accepting_paused_ = false;
    std::uint64_t paused_until_ns_ = 0;  // at least
    bool pause_was_logged_ = false;
    RateLimit pauses_{5, 10'000'000'000};
    std::array<std::byte, abi::kMaxMessage> buffer_{};
    std::unique_ptr<Fabric> fabric_;          // its threads' results come back to all of the above
    std::unique_ptr<MetricsServer> metrics_;  // last: what it asks the fabric is dropped with it
};

}  // namespace causeway::adapter
