// Causeway, the C++20 API: a header-only layer on the C ABI of causeway.h, which says what threads,
// forks and owners may do.
//
//   auto partition = causeway::Partition::attach("orders").value();
//   auto memory = partition.allocate(1 << 20, causeway::Access::remote_write).value();
//   auto queue = partition.create_completion_queue(256).value();
//   auto pair = partition.connect("billing/invoices", {.completions = queue}).value();
//   pair.post_send(memory.slice(0, 64), 1).value();
//   for (const causeway::Completion& c : queue.wait(100ms)) ...
#pragma once

#include <causeway/bus.hpp>
#include <causeway/completion_queue.hpp>
#include <causeway/error.hpp>
#include <causeway/queue_pair.hpp>
#include <causeway/region.hpp>
#include <causeway/segment.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway {

// How to join the fabric.
struct AttachOptions {
    std::string socket{};  // empty: $CAUSEWAY_SOCKET, then the usual places
    // How long to wait for the next adapter when this one dies; 0: not at all. None:
    // $CAUSEWAY_ADAPTER_PATIENCE (in seconds), or 10 s.
    std::optional<std::chrono::nanoseconds> adapter_patience{};
};

// A service to which others connect. Moved, not copied; closed when it goes.
class Listener {
public:
    Listener() = default;
    explicit Listener(cw_listener* raw) noexcept : handle_(raw) {}

    // Takes the first waiting connection onto an idle queue pair.
    [[nodiscard]] Result<void> accept(QueuePair& pair, std::chrono::nanoseconds timeout) {
        return detail::check(
            cw_accept(handle_.get(), pair.raw(), static_cast<std::uint64_t>(timeout.count())));
    }
    [[nodiscard]] cw_listener* raw() const noexcept { return handle_.get(); }

private:
    detail::Handle<cw_listener, cw_listener_close> handle_;
};

// This process as a member of the fabric. Moved, not copied. What was made from it ends with it.
//
// Its calls may be made from any thread. Where the adapter has died they wait for the next one, as
// long as the partition's patience, and then end with adapter_gone.
class Partition {
public:
    // Joins the fabric as `name` (empty on a named entrance: the entrance's name).
    [[nodiscard]] static Result<Partition> attach(const std::string& name,
                                                  const AttachOptions& options = {}) {
        const cw_attach_options raw{sizeof(cw_attach_options),
                                    options.socket.empty() ? nullptr : options.socket.c_str(),
                                    name.empty() ? nullptr : name.c_str(), patience(options)};
        return make<Partition>([&](cw_partition** out) { return cw_partition_attach(&raw, out); });
    }

    // Registered memory, zeroed; `size` in bytes is rounded up to pages.
    [[nodiscard]] Result<Region> allocate(std::size_t size, Access access = Access::local) {
        return allocate(size, RegionOptions{.access = access});
    }
    // The same, with all options. Errors: no_memory, limit_reached, invalid_argument.
    [[nodiscard]] Result<Region> allocate(std::size_t size, const RegionOptions& options) {
        return make<Region>([&](cw_region** out) {
            return cw_region_allocate(raw(), size, static_cast<std::uint32_t>(options.access),
                                      flags(options), out);
        });
    }
    // Page-aligned private memory that exists already becomes a region at the same address.
    [[nodiscard]] Result<Region> adopt(void* address, std::size_t size,
                                       const RegionOptions& options = {}) {
        return make<Region>([&](cw_region** out) {
            return cw_region_adopt(raw(), address, size, static_cast<std::uint32_t>(options.access),
                                   flags(options), out);
        });
    }
    // `entries`, at most 1048576, is a hint: every queue pair brings room for all that it can have
    // outstanding. Errors: limit_reached, invalid_argument.
    [[nodiscard]] Result<CompletionQueue> create_completion_queue(std::uint32_t entries) {
        return make<CompletionQueue>([&](cw_completion_queue** out) {
            return cw_completion_queue_create(raw(), entries, out);
        });
    }
    // An idle queue pair, to post receives on before it is connected or accepted.
    [[nodiscard]] Result<QueuePair> create_queue_pair(const QueuePairOptions& options) {
        cw_queue_pair_options c{};
        c.size = sizeof c;
        c.completions = options.completions.raw();
        c.send_entries = options.send_entries;
        c.receive_entries = options.receive_entries;
        c.patience = options.patience.kind;
        c.patience_ns = static_cast<std::uint64_t>(options.patience.limit.count());
        c.user = options.user;
        c.executor = options.executor;
        return make<QueuePair>(
            [&](cw_queue_pair** out) { return cw_queue_pair_create(raw(), &c, out); });
    }
    // Creates a queue pair and connects it to "partition/service".
    [[nodiscard]] Result<QueuePair> connect(
        const std::string& target, const QueuePairOptions& options,
        std::chrono::nanoseconds timeout = std::chrono::seconds(5)) {
        auto pair = create_queue_pair(options);
        if (!pair)
            return pair;
        if (auto done = pair->connect(target, timeout); !done) {
            return tl::unexpected(done.error());
        }
        return pair;
    }
    // Offers `service` to others, of whom at most `backlog` wait to be accepted. Errors:
    // name_in_use, limit_reached, invalid_argument. With a type it is a controller on the bus.
    [[nodiscard]] Result<Listener> listen(const std::string& service, std::uint32_t backlog = 16,
                                          ControllerType type = ControllerType::none) {
        return make<Listener>([&](cw_listener** out) {
            return cw_listen_as(raw(), service.c_str(), backlog, static_cast<std::uint32_t>(type),
                                out);
        });
    }

    // The controllers on the fabric's bus: this partition's own, and those that it may connect to.
    // Bus::open tells how they come and go.
    [[nodiscard]] Result<std::vector<Controller>> controllers() {
        auto bus = Bus::open(raw());
        if (!bus)
            return tl::unexpected(bus.error());
        return bus->controllers();
    }

    // Shared storage that is configured under this name.
    [[nodiscard]] Result<Segment> open_segment(const std::string& name, SegmentAccess access) {
        return make<Segment>([&](cw_segment** out) {
            return cw_segment_open(raw(), name.c_str(), static_cast<cw_segment_access>(access),
                                   out);
        });
    }

    // The name that the adapter knows it by.
    [[nodiscard]] std::string_view name() const noexcept { return cw_partition_name(raw()); }
    // The path of the socket by which it came.
    [[nodiscard]] std::string_view socket() const noexcept { return cw_partition_socket(raw()); }
    // Readable while there are events (a connection is wanted, a queue pair changed its state), for
    // an epoll loop; owned by this.
    [[nodiscard]] int event_fd() const noexcept { return cw_partition_event_fd(raw()); }
    // Deals with them, without waiting. Errors: adapter_gone.
    [[nodiscard]] Result<void> process_events() {
        return detail::check(cw_partition_process_events(raw()));
    }
    [[nodiscard]] cw_partition* raw() const noexcept { return handle_.get(); }

    // None; only to be assigned to.
    Partition() = default;
    explicit Partition(cw_partition* raw) noexcept : handle_(raw) {}

private:
    template<typename T, typename F>
    [[nodiscard]] static Result<T> make(F&& create) {
        decltype(std::declval<T>().raw()) raw = nullptr;
        if (const int code = create(&raw); code != CW_OK)
            return detail::last_error(code);
        return T(raw);
    }
    [[nodiscard]] static std::uint64_t patience(const AttachOptions& options) noexcept {
        if (!options.adapter_patience)
            return 0;
        const auto ns = options.adapter_patience->count();
        return ns > 0 ? static_cast<std::uint64_t>(ns) : std::uint64_t{CW_NO_PATIENCE};
    }
    [[nodiscard]] static std::uint32_t flags(const RegionOptions& options) noexcept {
        return (options.huge_pages ? CW_HUGE_PAGES : 0U) |
               (options.zero_based ? CW_ZERO_BASED : 0U);
    }
    detail::Handle<cw_partition, cw_partition_close> handle_;
};

}  // namespace causeway
