// nbdkit-causeway-plugin: the disks of block units for every program that speaks NBD. Here are the
// calls that nbdkit makes; the protocol, its TLS and its filters are nbdkit's.
//
// Threading: nbdkit calls from several threads at once, also for one connection.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "backend.hpp"
#include "nbdkit.hpp"
#include "settings.hpp"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace causeway::nbd {
namespace {

constexpr std::uint32_t kMostExtents = 64;  // that a unit tells at once

// nbdkit has no place for what belongs to the process but statics.
Settings settings;
std::unique_ptr<Backend> backend;

// nbdkit ends, or the client has gone: its calls then return early.
bool still_wanted() { return nbdkit_nanosleep(0, 1000) == 0; }

[[nodiscard]] cw_disk_request request_of(cw_disk_operation operation, std::uint64_t offset,
                                         std::uint64_t length, std::uint32_t flags) noexcept {
    return {static_cast<std::uint32_t>(operation), flags, offset, length, nullptr, 0, 0, 0};
}

[[nodiscard]] std::uint32_t durable(std::uint32_t flags) noexcept {
    return (flags & NBDKIT_FLAG_FUA) != 0 ? CW_DISK_FUA : 0;
}

// As nbdkit wants it: 0, or -1 with its error told. NBD knows no time-out.
[[nodiscard]] int outcome_of(const Ended& ended, const char* what) {
    if (ended.error == 0)
        return 0;
    if (ended.error == ETIMEDOUT) {
        nbdkit_error(
            "%s: %s: no answer within the time; is its unit running? timeout=SECONDS "
            "says how long is waited for it",
            settings.unit.c_str(), what);
        nbdkit_set_error(EIO);
    } else {
        nbdkit_error("%s: %s: %s", settings.unit.c_str(), what, std::strerror(ended.error));
        nbdkit_set_error(ended.error);
    }
    return -1;
}

// In pieces where it is longer than one request may be.
[[nodiscard]] int move(cw_disk_operation operation, void* data, std::uint32_t count,
                       std::uint64_t offset, std::uint32_t flags, const char* what) {
    auto* at = static_cast<char*>(data);
    const std::uint32_t most = backend->info().most;
    while (count != 0) {
        const std::uint32_t piece = std::min(count, most);
        cw_disk_request request = request_of(operation, offset, piece, flags);
        request.data = at;
        if (outcome_of(backend->call(request), what) != 0)
            return -1;
        at += piece;
        offset += piece;
        count -= piece;
    }
    return 0;
}

int config(const char* key, const char* value) { return set(settings, key, value) ? 0 : -1; }
int config_complete() { return complete(settings) ? 0 : -1; }

int tell(const Error& error) {
    nbdkit_error("%s: %s", settings.unit.c_str(), error.text.c_str());
    return -1;
}

// What is wrong is told before nbdkit goes into the background, where nobody sees it. A partition
// does not survive a fork: it is another one that serves.
int get_ready() {
    Backend tried(settings, still_wanted);
    if (const auto opened = tried.open(Backend::Try::once); !opened)
        return tell(opened.error());
    return 0;
}

int after_fork() {
    backend = std::make_unique<Backend>(settings, still_wanted);
    if (const auto opened = backend->open(Backend::Try::again); !opened)
        return tell(opened.error());
    return 0;
}

void cleanup() { backend.reset(); }

void dump_plugin() {
    std::printf("causeway_version=%s\n", CAUSEWAY_VERSION);
    std::printf("causeway_library_version=%s\n", cw_version_string());
}

// All connections use the same disk.
void* open_connection(int) { return &backend; }
int64_t get_size(void*) { return static_cast<int64_t>(backend->info().bytes); }
int can_write(void*) { return backend->info().read_only == 0 ? 1 : 0; }
int is_rotational(void*) { return static_cast<int>(backend->info().rotational); }
int can_trim(void*) { return static_cast<int>(backend->info().can_discard); }
int can_fast_zero(void*) { return static_cast<int>(backend->info().can_zero); }
int can_extents(void*) { return static_cast<int>(backend->info().can_extents); }
int can_fua(void*) { return NBDKIT_FUA_NATIVE; }
int can_cache(void*) { return NBDKIT_CACHE_NONE; }
int yes(void*) { return 1; }

int block_size(void*, uint32_t* minimum, uint32_t* preferred, uint32_t* maximum) {
    const cw_disk_info info = backend->info();
    *minimum = info.block;
    *preferred = std::max({info.preferred, info.block, 512U});
    *maximum = info.most;
    return 0;
}

int read(void*, void* buffer, uint32_t count, uint64_t offset, uint32_t) {
    return move(CW_DISK_OP_READ, buffer, count, offset, 0, "reading");
}

int write(void*, const void* buffer, uint32_t count, uint64_t offset, uint32_t flags) {
    return move(CW_DISK_OP_WRITE, const_cast<void*>(buffer), count, offset, durable(flags),
                "writing");
}

int flush(void*, uint32_t) {
    return outcome_of(backend->call(request_of(CW_DISK_OP_FLUSH, 0, 0, 0)), "flushing");
}

int trim(void*, uint32_t count, uint64_t offset, uint32_t flags) {
    return outcome_of(backend->call(request_of(CW_DISK_OP_DISCARD, offset, count, durable(flags))),
                      "trimming");
}

int zero(void*, uint32_t count, uint64_t offset, uint32_t flags) {
    std::uint32_t how = durable(flags);
    if ((flags & NBDKIT_FLAG_MAY_TRIM) == 0)
        how |= CW_DISK_ALLOCATE;
    if ((flags & NBDKIT_FLAG_FAST_ZERO) != 0)
        how |= CW_DISK_FAST_ONLY;
    const Ended ended = backend->call(request_of(CW_DISK_OP_ZERO, offset, count, how));
    if (ended.error == EOPNOTSUPP) {  // an answer, not a failure
        nbdkit_set_error(EOPNOTSUPP);
        return -1;
    }
    return outcome_of(ended, "zeroing");
}

int extents(void*, uint32_t count, uint64_t offset, uint32_t flags, nbdkit_extents* out) {
    static_assert(sizeof(cw_disk_extent) == 16);
    std::array<cw_disk_extent, kMostExtents> found{};
    cw_disk_request request =
        request_of(CW_DISK_OP_EXTENTS, offset, count,
                   (flags & NBDKIT_FLAG_REQ_ONE) != 0 ? CW_DISK_ONE_EXTENT : 0);
    request.data = found.data();
    request.room = kMostExtents;
    const Ended ended = backend->call(request);
    if (outcome_of(ended, "looking for extents") != 0)
        return -1;
    for (std::uint32_t i = 0; i < std::min(ended.extents, kMostExtents); ++i) {
        const std::uint32_t kind = ((found[i].flags & CW_DISK_HOLE) != 0 ? NBDKIT_EXTENT_HOLE : 0) |
                                   ((found[i].flags & CW_DISK_ZEROS) != 0 ? NBDKIT_EXTENT_ZERO : 0);
        if (nbdkit_add_extent(out, offset, found[i].length, kind) != 0)
            return -1;
        offset += found[i].length;
    }
    return 0;
}

[[nodiscard]] nbdkit_plugin make_plugin() noexcept {
    nbdkit_plugin made{};
    made.name = "causeway";
    made.version = CAUSEWAY_VERSION;
    made.longname = "nbdkit causeway plugin";
    made.description = "Disks that block units of a Causeway fabric serve";
    made.magic_config_key = "unit";
    made.config = config;
    made.config_complete = config_complete;
    made.config_help = kHelp;
    made.get_ready = get_ready;
    made.after_fork = after_fork;
    made.cleanup = cleanup;
    made.dump_plugin = dump_plugin;
    made.open = open_connection;
    made.get_size = get_size;
    made.can_write = can_write;
    made.can_flush = yes;
    made.is_rotational = is_rotational;
    made.can_trim = can_trim;
    made.can_zero = yes;
    made.can_fast_zero = can_fast_zero;
    made.can_extents = can_extents;
    made.can_fua = can_fua;
    made.can_multi_conn = yes;  // a flush covers what any connection had acknowledged
    made.can_cache = can_cache;
    made.block_size = block_size;
    made.pread = read;
    made.pwrite = write;
    made.flush = flush;
    made.trim = trim;
    made.zero = zero;
    made.extents = extents;
    return made;
}

nbdkit_plugin plugin = make_plugin();

}  // namespace
}  // namespace causeway::nbd

using causeway::nbd::plugin;
NBDKIT_REGISTER_PLUGIN(plugin)
