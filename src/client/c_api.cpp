// The C ABI: partitions, regions, listeners, stats. Thin: checks what is given, calls, translates.
#include <cstddef>
#include <optional>
#include <string>

#include "base/version.hpp"
#include "client/c_api.hpp"
#include "client/copies.hpp"
#include "client/stats.hpp"
#include "platform/files.hpp"

using namespace causeway;                // NOLINT(google-build-using-namespace)
using namespace causeway::client;        // NOLINT(google-build-using-namespace)
using namespace causeway::client::capi;  // NOLINT(google-build-using-namespace)

namespace {

constexpr char kNoPartition[] = "no partition given (NULL)";
constexpr char kNoRegion[] = "no region given (NULL)";
constexpr char kNoListener[] = "no listener given (NULL)";
constexpr char kNoOut[] = "no place for the result given (NULL)";

static_assert(CW_CONTROLLER_OTHER == static_cast<int>(abi::ControllerType::other));

[[nodiscard]] std::string text_of(const char* text) { return text != nullptr ? text : ""; }

// By f, which says whether direct peers keep what they were granted.
template<typename F>
[[nodiscard]] int take_back(cw_region* region, int* granted, F&& f) {
    if (region == nullptr)
        return missing(kNoRegion);
    if (granted == nullptr)
        return missing(kNoOut);
    if (!region->partition().here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const bool reached, f());
        *granted = reached ? 1 : 0;
        return {};
    });
}

}  // namespace

const char* cw_version_string(void) { return kVersion; }
const char* cw_error_name(int error) { return error_name(static_cast<ErrorCode>(error)); }
const char* cw_status_name(int status) {
    return status < 0 || status >= abi::kStatusCount ? "unknown"
                                                     : status_name(static_cast<Status>(status));
}
const char* cw_error_text(void) { return last_error_text(); }

const char* cw_copies_text(void) { return copies_text(); }
const char* cw_copies_source(void) { return copies().source.c_str(); }
const char* cw_copies_problem(void) { return copies().problem.c_str(); }

// ---- partition

int cw_partition_attach(const cw_attach_options* options, cw_partition** out) {
    if (out == nullptr)
        return missing(kNoOut);
    return make(out, [&]() -> Result<std::shared_ptr<Partition>> {
        if (options == nullptr)
            return Partition::attach({}, {});
        constexpr std::size_t kFirst = offsetof(cw_attach_options, adapter_patience_ns);
        CW_TRY_ASSIGN(const auto whole, whole_options("cw_attach_options", *options, kFirst));
        std::optional<std::uint64_t> patience;
        if (whole.adapter_patience_ns != 0)
            patience = whole.adapter_patience_ns == CW_NO_PATIENCE ? 0 : whole.adapter_patience_ns;
        return Partition::attach(text_of(whole.socket), text_of(whole.name), patience);
    });
}

void cw_partition_close(cw_partition* partition) {
    if (partition == nullptr)
        return;
    if (partition->shared->here())
        partition->shared->close();
    delete partition;
}

const char* cw_partition_name(const cw_partition* partition) {
    return partition != nullptr ? partition->shared->name().c_str() : "";
}

const char* cw_partition_socket(const cw_partition* partition) {
    return partition != nullptr ? partition->shared->socket().c_str() : "";
}

int cw_partition_event_fd(const cw_partition* partition) {
    if (partition == nullptr)
        return -missing(kNoPartition);
    if (!partition->shared->here())
        return -forked();
    return partition->shared->event_fd();
}

int cw_partition_process_events(cw_partition* partition) {
    if (partition == nullptr)
        return missing(kNoPartition);
    if (!partition->shared->here())
        return forked();
    partition->shared->process_events();
    return guarded([&] { return partition->shared->usable(); });
}

// ---- regions

int cw_region_allocate(cw_partition* partition, size_t size, uint32_t access, uint32_t flags,
                       cw_region** out) {
    if (out == nullptr)
        return missing(kNoOut);
    if (partition == nullptr)
        return missing(kNoPartition);
    if (!partition->shared->here())
        return forked();
    return make(out, [&] {
        return Region::allocate(partition->shared, size, {.access = access, .flags = flags});
    });
}

int cw_region_adopt(cw_partition* partition, void* address, size_t size, uint32_t access,
                    uint32_t flags, cw_region** out) {
    if (out == nullptr)
        return missing(kNoOut);
    if (partition == nullptr)
        return missing(kNoPartition);
    if (!partition->shared->here())
        return forked();
    return make(out, [&] {
        return Region::adopt(partition->shared, address, size, {.access = access, .flags = flags});
    });
}

int cw_region_close(cw_region* region) {
    if (region == nullptr)
        return missing(kNoRegion);
    if (!region->partition().here()) {
        delete region;
        return forked();
    }
    const int closed = guarded([&] { return region->close(); });
    delete region;
    return closed;
}

int cw_region_deregister(cw_region* region, int* granted) {
    return take_back(region, granted, [&] { return region->deregister(); });
}

int cw_region_narrow(cw_region* region, uint32_t access, int* granted) {
    return take_back(region, granted, [&] { return region->narrow(access); });
}

void* cw_region_data(const cw_region* region) {
    if (region == nullptr || !region->partition().here()) {
        (void)(region == nullptr ? missing(kNoRegion) : forked());
        return nullptr;
    }
    return region->data();
}

size_t cw_region_size(const cw_region* region) {
    if (region == nullptr || !region->partition().here()) {
        (void)(region == nullptr ? missing(kNoRegion) : forked());
        return 0;
    }
    return region->size();
}

uint32_t cw_region_handle(const cw_region* region) {
    if (region == nullptr || !region->partition().here()) {
        (void)(region == nullptr ? missing(kNoRegion) : forked());
        return 0;
    }
    return region->handle();
}

cw_remote cw_region_remote(const cw_region* region, size_t offset) {
    if (region == nullptr || !region->partition().here()) {
        (void)(region == nullptr ? missing(kNoRegion) : forked());
        return {};
    }
    return region->remote(offset);
}

int cw_region_append_offset(cw_region* region, uint64_t* offset) {
    if (region == nullptr)
        return missing(kNoRegion);
    if (offset == nullptr)
        return missing(kNoOut);
    if (!region->partition().here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(*offset, region->append_offset());
        return {};
    });
}

// ---- listeners

int cw_listen(cw_partition* partition, const char* service, uint32_t backlog, cw_listener** out) {
    return cw_listen_as(partition, service, backlog, CW_CONTROLLER_NONE, out);
}

int cw_listen_as(cw_partition* partition, const char* service, uint32_t backlog, uint32_t type,
                 cw_listener** out) {
    if (out == nullptr)
        return missing(kNoOut);
    if (partition == nullptr)
        return missing(kNoPartition);
    if (service == nullptr)
        return missing("no service given (NULL)");
    if (!partition->shared->here())
        return forked();
    return make(out, [&] {
        return Listener::create(partition->shared, service, backlog,
                                static_cast<abi::ControllerType>(type));
    });
}

int cw_accept(cw_listener* listener, cw_queue_pair* pair, uint64_t timeout_ns) {
    if (listener == nullptr)
        return missing(kNoListener);
    if (pair == nullptr)
        return missing("no queue pair given (NULL)");
    if (!listener->here() || !pair->here())
        return forked();
    return guarded([&] { return listener->accept(*pair, timeout_ns); });
}

void cw_listener_close(cw_listener* listener) { delete listener; }

// ---- stats

int cw_reload(const char* socket, void (*line)(const char* text, void* user), void* user) {
    if (line == nullptr)
        return missing("no function for the lines given (NULL)");
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const std::string text, reload_configuration(text_of(socket)));
        std::string_view rest = text;
        while (!rest.empty())
            line(std::string(platform::next_token(rest, '\n')).c_str(), user);
        return {};
    });
}

int cw_stats(const char* socket, uint32_t kind,
             void (*row)(const void* data, size_t size, void* user), void* user) {
    if (row == nullptr)
        return missing("no function for the rows given (NULL)");
    return guarded([&] {
        return read_stats(text_of(socket), kind,
                          [&](const void* data, size_t size) { row(data, size, user); });
    });
}
