// The fabric: everything that the attached partitions have, and the threads that work for them.
//
// Threading: the control thread, except after_movers' and offload's callbacks, which are brought
// back to it through the inbox.
// Ownership: owns partitions, movers and the worker. Outlived by the inbox, which others hold too.
//
// Invariants:
//  1. A partition's name is taken from its attaching until its last end has been closed and let go
//     by the movers.
//  2. Memory that a mover may look at is unmapped only after every mover has passed a point at
//  which
//     it holds no pointer into it.
//  3. What is counted against a quota is given back exactly once: when the thing is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "adapter/audit.hpp"
#include "adapter/bus.hpp"
#include "adapter/denials.hpp"
#include "adapter/inbox.hpp"
#include "adapter/journal.hpp"
#include "adapter/log.hpp"
#include "adapter/mover.hpp"
#include "adapter/own_figures.hpp"
#include "adapter/partition.hpp"
#include "adapter/policy.hpp"
#include "adapter/quota.hpp"
#include "adapter/segments.hpp"
#include "adapter/worker.hpp"

namespace causeway::adapter {

struct FabricOptions {
    Quota quota;                         // of partitions of which `terms` does not tell
    std::map<std::string, Terms> terms;  // by partition
    std::uint32_t movers = 1;
    std::vector<unsigned> mover_cores;  // empty: movers run where the system puts them
    std::uint64_t max_mappings = 65530;
    std::uint64_t max_files = 1024;
    // How long after its start the daemon keeps places for the partitions of the last one.
    std::uint64_t resume_patience_ns = 0;
    engine::LoadedCopies copies = engine::built_in_copies();
    std::vector<config::Segment> segments;
};

// Partitions that have a segment open.
struct SegmentUse {
    std::uint32_t open = 0;
    std::uint32_t copies = 0;  // those of them that have no descriptor of it
};

[[nodiscard]] inline Party party_of(const Partition& partition) {
    return {partition.name, partition.entrance, partition.user_namespace};
}

// Who looks at the bus.
struct BusViewer {
    bool all = false;  // an observer by the open entrance
    Party party;       // as who may connect
};

class Fabric {
public:
    // What the fabric asks of the server, on the control thread.
    struct Hooks {
        // Ends a session from inside: its partition has broken a rule.
        std::function<void(std::uint32_t session, std::string reason)> evict;
        // Closes what may hang because of who came in by `entrance`, at that entrance's expense.
        std::function<void(const std::string& entrance, platform::UniqueFd)> close_aside;
    };

    [[nodiscard]] static Result<std::unique_ptr<Fabric>> start(FabricOptions options, Log log,
                                                               std::shared_ptr<Inbox> inbox,
                                                               std::unique_ptr<Policy> policy,
                                                               std::unique_ptr<Journal> journal,
                                                               Hooks hooks);
    ~Fabric();
    Fabric(const Fabric&) = delete;
    Fabric& operator=(const Fabric&) = delete;

    // --- partitions
    // Errors: name_in_use.
    [[nodiscard]] Result<Partition*> attach(std::uint32_t session, const std::string& name,
                                            const std::string& entrance,
                                            const platform::Credentials& credentials);
    // The session has ended: its ends are closed, its peers told, everything is freed in due time.
    void end(std::uint32_t session);
    [[nodiscard]] Partition* find(std::uint32_t session) noexcept;
    // A partition that is attached and not ending.
    [[nodiscard]] Partition* find(std::string_view name) noexcept;
    [[nodiscard]] bool name_taken(const std::string& name) const;
    // Runs `then` once the taken name is free, unless nobody_waits() comes first. One at a time.
    void when_free(const std::string& name, std::function<void()> then);
    void nobody_waits(const std::string& name) { waiting_for_name_.erase(name); }
    // Also partitions that are ending.
    [[nodiscard]] bool empty() const noexcept { return partitions_.empty(); }

    // --- coming back (fabric_resume.cpp)
    // The partition of the last daemon that had this session. Errors: not_found, denied.
    [[nodiscard]] Result<Partition*> resume(std::uint32_t session,
                                            const std::uint8_t (&token)[abi::kTokenSize],
                                            const std::string& entrance,
                                            const platform::Credentials& credentials);
    // It has brought what it has: its connections go on as soon as their other ends are back, too.
    void resume_done(Partition& partition);
    // Is anybody of the last daemon still to come, or not done yet?
    [[nodiscard]] bool expects_partitions() const noexcept;
    // Gives up those whose time is over, or whose process has gone.
    void expire(std::uint64_t now_ns);
    // Gives up who had this name, if it is the same process that now attaches anew under it.
    void give_up_own(const std::string& name, const platform::Credentials& credentials);
    // Was somebody of this name here at the last daemon, and is expected back?
    [[nodiscard]] bool still_comes(const std::string& name) const;
    [[nodiscard]] Journal& journal() noexcept { return *journal_; }
    [[nodiscard]] std::uint64_t own_memory_most() const noexcept {
        return adapter::own_memory_most(options_.max_files);
    }
    // Writes down where the connection of `pair` stands.
    void journal_connection(const QueuePair& pair) noexcept;

    // --- policy (fabric_policy.cpp)
    [[nodiscard]] const Policy& policy() const noexcept { return *policy_; }
    [[nodiscard]] AuditLog& audit() noexcept { return audit_; }
    // From now on; what it does not allow any more is cut off, controllers with what came over
    // them. How many connections those were.
    std::uint32_t set_policy(std::unique_ptr<Policy> policy);
    void set_terms(Quota usual, std::map<std::string, Terms> terms);
    [[nodiscard]] Terms terms_of(const std::string& partition) const;
    // Tells the end of a connected pair what its descriptors may do.
    void permit(QueuePair& pair);

    // --- queue pairs
    [[nodiscard]] QueuePair* queue_pair(std::uint32_t id) noexcept;
    // The partition's own; not_found.
    [[nodiscard]] Result<QueuePair*> queue_pair_of(const Partition& partition, std::uint32_t id);
    [[nodiscard]] std::uint32_t next_queue_pair_id() noexcept;
    // A partition's queue pairs belong to one mover, so that what it has moved is in the way of as
    // few others as there are movers (ADR 0010).
    [[nodiscard]] std::uint32_t choose_mover(Partition& partition) const noexcept;
    void add_queue_pair(Partition& partition, QueuePair pair);
    // Closes and frees it; `done` runs when the movers have let go of it.
    void remove_queue_pair(std::uint32_t id, std::function<void()> done);
    // Tells waiting connectors that nobody will accept them.
    void refuse_waiting(Listener& listener, abi::Error reason);

    // --- direct connections (fabric_direct.cpp)
    // Makes what two ends need and connects them; both are in phase connected. `done` gets an error
    // where that failed; then both ends are closed.
    void connect_direct(std::uint32_t connector, std::uint32_t acceptor,
                        std::function<void(Result<void>)> done);
    // One end has fetched the inbound memory of `of`, its own or its peer's; and the opposite,
    // where it could not be handed out after all.
    void inbound_fetched(QueuePair& by, QueuePair& of) noexcept;
    void inbound_came_back(QueuePair& by, QueuePair& of, platform::UniqueFd memory) noexcept;
    [[nodiscard]] Bell* bell(std::uint32_t number) noexcept;
    // For both sides: their doorbells of it are no more, and the next connection gets another.
    void forget_bell(std::uint32_t number);
    // A completion queue has gone.
    void forget_bells_at(std::uint32_t session, std::uint32_t completions);
    // Something that `owner` may have granted is not valid any more.
    void count_revocation(const Partition& owner);

    // --- the bus (fabric_bus.cpp)
    [[nodiscard]] const Bus& bus() const noexcept { return bus_; }
    [[nodiscard]] bool sees(const BusViewer& viewer, const Controller& controller) const;
    // The only user of the controller of whom it may know; empty: it may know of all.
    [[nodiscard]] static std::string_view only_user(const BusViewer& viewer,
                                                    const Controller& controller);
    [[nodiscard]] std::uint64_t bus_generation(const BusViewer& viewer);
    // Rings its events, once, when what it sees on the bus has changed.
    void tell_next_bus_change(const Partition& partition) {
        awaiting_bus_.insert(partition.session);
    }
    // The listener is a controller, or is not any more.
    void announce(std::uint32_t session, std::uint32_t listener, Controller controller);
    void withdraw(std::uint32_t session, std::uint32_t listener);
    // What `connector` uses from now on, if that is a controller.
    void begin_use(std::uint32_t connector);

    // --- regions
    [[nodiscard]] bool inode_known(const FileKey& key) const { return inodes_.count(key) != 0; }
    void know_inode(const FileKey& key) { inodes_.insert(key); }
    void forget_inodes(const std::vector<RegionFile>& files);
    void forget_inodes(const std::vector<FileKey>& keys);
    [[nodiscard]] std::uint32_t next_network_id() noexcept;
    void add_region(Partition& partition, std::shared_ptr<RegisteredRegion> region);
    // Out of the table and revoked; freed later. `done` runs when no mover reaches it any more,
    // which is almost always before this returns.
    void remove_region(Partition& partition, std::uint32_t handle, std::function<void()> done);
    // Forgets what was registered in part, if anything: a refused part, a new beginning, the end.
    void drop_pending_region(Partition& partition);
    // Gives memory that no mover knows back to the system, on the worker.
    void free_memory(RegionMemory memory);

    // --- named segments (fabric_segments.cpp)
    // What is configured from now on. New ones are made (on the worker), those that are not there
    // any more are removed, and openings that are not allowed any more end: their partitions are
    // told by segment_changed. What a partition has mapped stays mapped.
    // Errors: invalid_argument, wrong_state (another size while it is open), no_memory: nothing has
    // changed then; limit_reached: those before it in the list are there.
    [[nodiscard]] Result<void> set_segments(std::vector<config::Segment> segments);
    [[nodiscard]] std::shared_ptr<SegmentRecord> segment(std::string_view name) const;
    [[nodiscard]] SegmentUse use_of(const SegmentRecord& segment) const;
    // Makes its memory, or goes on with what was handed back.
    void make_segment_memory(const std::shared_ptr<SegmentRecord>& record);
    // Runs `then` once it is ready, has failed or is removed; never, where the session ends first.
    // A session waits for one at a time.
    void when_segment_settles(SegmentRecord& record, std::uint32_t session,
                              std::function<void()> then);
    // Returns the number of the opening.
    std::uint32_t add_opening(Partition& partition, SegmentOpening opening);
    void close_opening(Partition& partition, std::uint32_t id);
    // Opening `id` of the last daemon, with the memory that the partition hands back.
    [[nodiscard]] Result<void> resume_opening(Partition& partition, std::uint32_t id,
                                              const platform::UniqueFd& file);

    // --- what the whole daemon uses
    // Counts descriptors that the adapter holds for a partition. Errors: limit_reached.
    [[nodiscard]] Result<void> take_files(Partition& partition, std::uint64_t count);
    void give_files(Partition& partition, std::uint64_t count) noexcept;
    // Undoes give_files(), whatever the quota: it is still here.
    void hold_files(Partition& partition, std::uint64_t count) noexcept;
    // Counts mappings against vm.max_map_count. Errors: limit_reached.
    [[nodiscard]] Result<void> take_mappings(std::uint64_t count);
    void give_mappings(std::uint64_t count) noexcept { mappings_ -= count; }
    // Descriptors that do not belong to a partition: connections.
    void count_files(std::int64_t change) noexcept { files_ += static_cast<std::uint64_t>(change); }
    [[nodiscard]] bool files_short() const noexcept;

    // Runs `then` on the control thread once every mover has passed a quiescent point.
    void after_movers(std::function<void()> then);
    // For what is made on the partition's behalf; outlives it, and the fabric.
    [[nodiscard]] CloseAside close_aside_for(const Partition& partition) const;
    // Runs `work` on the worker, then what it returns on the control thread.
    void offload(std::function<std::function<void()>()> work);

    [[nodiscard]] const FabricOptions& options() const noexcept { return options_; }
    [[nodiscard]] const Log& log() const noexcept { return log_; }
    [[nodiscard]] Inbox& inbox() noexcept { return *inbox_; }
    [[nodiscard]] const std::shared_ptr<Inbox>& shared_inbox() const noexcept { return inbox_; }
    [[nodiscard]] Worker& worker() noexcept { return worker_; }
    [[nodiscard]] Mover& mover(std::uint32_t index) noexcept { return *movers_[index]; }
    [[nodiscard]] std::uint32_t mover_count() const noexcept { return options_.movers; }

    // --- for listings, ordered by number
    [[nodiscard]] const auto& partitions() const noexcept { return partitions_; }
    [[nodiscard]] const auto& queue_pairs() const noexcept { return queue_pairs_; }
    [[nodiscard]] const auto& regions() const noexcept { return regions_; }
    [[nodiscard]] const auto& segments() const noexcept { return segments_; }
    [[nodiscard]] const engine::LoadedCopies& copies() const noexcept { return options_.copies; }
    [[nodiscard]] std::uint64_t started_ns() const noexcept { return started_ns_; }
    [[nodiscard]] OwnFigures::Figures own_figures() { return own_figures_.get(); }
    void count_refusal() noexcept { ++refused_; }
    // `rule` has denied a wish of `partition` (empty: of one without a name).
    void count_denial(std::string_view partition, std::string_view rule) {
        denials_.count(partition, rule);
    }
    [[nodiscard]] std::string take_denied_rule() { return denials_.take_last_rule(); }
    [[nodiscard]] const Denials& denials() const noexcept { return denials_; }
    // What a partition has done since it attached, and all that have gone or are going.
    [[nodiscard]] PartitionTotals totals_of(const Partition& partition);
    [[nodiscard]] PartitionTotals gone_totals();
    [[nodiscard]] std::uint64_t partitions_gone() const noexcept { return partitions_gone_; }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::uint64_t registered_bytes() const noexcept { return registered_bytes_; }

private:
    Fabric(FabricOptions options, Log log, std::shared_ptr<Inbox> inbox,
           std::unique_ptr<Policy> policy, std::unique_ptr<Journal> journal, Hooks hooks);
    [[nodiscard]] Result<void> start_movers();
    [[nodiscard]] Result<PartitionCell*> journal_partition(const Partition& partition);
    static void note_process(PartitionCell& cell,
                             const platform::Credentials& credentials) noexcept;
    void read_journal(std::uint64_t until_ns);
    void collect_cells();
    void keep_places(const std::vector<QueuePairCell*>& pairs);
    void drop(Estate& estate) noexcept;
    void give_up(std::uint32_t session);
    [[nodiscard]] bool still_comes(std::uint32_t queue_pair) const;
    void settle_all();
    void settle(QueuePair& pair);
    void settle_waiting(QueuePair& pair);
    void settle_connected(QueuePair& pair);
    void end_unsettled(QueuePair& pair, abi::QueuePairState state);
    void free_name(const std::string& name);
    void finish_end(std::uint32_t session);
    void finish_removal(std::uint32_t id);
    [[nodiscard]] Result<std::uint32_t> bell_between(const BellKey& key);
    template<typename F>
    void forget_bells(F&& of);
    void forget_bells_of(std::uint32_t session);
    void give_inbound(Partition& owner, QueuePair& pair, Inbound inbound);
    void drop_inbound(QueuePair& pair) noexcept;
    [[nodiscard]] Result<void> join(QueuePair& a, QueuePair& b, Inbound inbound_a,
                                    Inbound inbound_b);
    void take_from_listener(const QueuePair& pair);
    void tell_of(const Controller& controller, std::string_view user);
    void tell_all_of_bus();
    static void ring_bus(const Partition& partition);
    void withdraw_all(std::uint32_t session);
    std::uint32_t withdraw_forbidden();  // fabric_units.cpp
    std::uint32_t forbid(Bus::Number number, const Announcement& decision);
    void forget_connections(Bus::Number controller);
    void close_withdrawn(Bus::Number controller, const std::string& why);
    void controllers_are_up(std::uint32_t session);
    void end_use(QueuePair& end);
    [[nodiscard]] bool may_stay(const QueuePair& connector, const Partition& to,
                                std::string& rule) const;
    void cut(QueuePair& pair, const Partition& from, const Partition& to, const std::string& rule);
    void note_refusal(std::uint32_t from, std::uint32_t to, abi::Opcode opcode);
    void look_for_holes(std::uint32_t session);
    void forget_region(const std::shared_ptr<RegisteredRegion>& region);
    void retire(std::shared_ptr<RegisteredRegion> region);
    [[nodiscard]] bool segment_comes(const config::Segment& terms) const;
    [[nodiscard]] Result<void> check_segment_change(
        const std::vector<config::Segment>& segments) const;
    [[nodiscard]] Result<void> add_segment(config::Segment terms);
    void remove_segment(const std::shared_ptr<SegmentRecord>& record);
    void narrow_openings(const SegmentRecord& record);
    static void tell_waiting(SegmentRecord& record);
    void end_opening(Partition& partition, SegmentOpening& opening, std::string why);
    void close_openings(Partition& partition);
    void resume_copies(Partition& partition);
    void settle_segments();

    FabricOptions options_;
    Log log_;
    std::shared_ptr<Inbox> inbox_;
    std::unique_ptr<Policy> policy_;
    AuditLog audit_;
    std::unique_ptr<Journal> journal_;
    Hooks hooks_;
    const std::uint64_t started_ns_;

    std::map<std::uint32_t, std::shared_ptr<Partition>> partitions_;  // by session
    std::unordered_map<std::string, std::uint32_t> names_;
    std::map<std::uint32_t, std::unique_ptr<Estate>> estates_;  // by session: not back yet
    std::uint64_t expected_until_ns_ = 0;
    std::unordered_map<std::string, std::function<void()>> waiting_for_name_;
    std::map<std::uint32_t, QueuePair> queue_pairs_;
    std::map<std::uint32_t, std::shared_ptr<RegisteredRegion>> regions_;  // by network ID
    std::map<std::uint32_t, std::shared_ptr<SegmentRecord>> segments_;    // by number
    std::uint32_t last_segment_ = 0;
    std::map<std::uint32_t, Bell> bells_;  // between direct peers
    std::map<BellKey, std::uint32_t> bell_numbers_;
    std::set<FileKey> inodes_;
    Bus bus_;
    std::set<std::uint32_t> awaiting_bus_;  // sessions that are to be told of its next change
    // Generations of what these viewers (all, partition, entrance) see, until something changes.
    std::map<std::tuple<bool, std::string, std::string>, std::uint64_t> bus_generations_;
    std::uint32_t last_queue_pair_ = 0;
    std::uint32_t last_network_id_ = 0;
    std::uint32_t last_bell_ = 0;
    std::uint64_t files_ = 0;
    std::uint64_t mappings_ = 0;
    std::uint64_t refused_ = 0;
    Denials denials_;
    PartitionTotals gone_;  // what partitions have done that are gone
    std::uint64_t partitions_gone_ = 0;
    std::uint64_t registered_bytes_ = 0;
    std::uint64_t mapping_budget_ = 0;
    OwnFigures own_figures_;
    std::vector<std::uint32_t> mover_load_;                // by mover: ends added to it
    std::map<std::uint32_t, std::uint64_t> looked_at_ns_;  // by session: for holes

    Worker worker_;
    std::vector<std::unique_ptr<Mover>> movers_;  // last: their tasks refer to all of the above
};

}  // namespace causeway::adapter
