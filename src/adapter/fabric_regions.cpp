// Regions of the fabric: known, revoked, freed.
#include <utility>

#include "adapter/fabric.hpp"

#include "base/fault_point.hpp"

namespace causeway::adapter {

std::uint32_t Fabric::next_network_id() noexcept {
    const std::uint32_t id = next_id(last_network_id_, regions_);
    journal_->numbers().last_network_id = id;
    return id;
}

void Fabric::forget_inodes(const std::vector<RegionFile>& files) {
    for (const RegionFile& file : files)
        inodes_.erase(file.key);
}

void Fabric::forget_inodes(const std::vector<FileKey>& keys) {
    for (const FileKey& key : keys)
        inodes_.erase(key);
}

void Fabric::drop_pending_region(Partition& partition) {
    if (!partition.pending_region)
        return;
    // Where their owner has let go of the files, memory goes with them, which takes the kernel
    // milliseconds for each: one a step, and not on this thread.
    auto files =
        std::make_shared<std::vector<RegionFile>>(std::move(partition.pending_region->files));
    partition.pending_region.reset();
    forget_inodes(*files);
    auto done = [this, id = partition.session, count = files->size()] {
        // Of a partition that is gone meanwhile, everything was given back.
        if (const auto found = partitions_.find(id); found != partitions_.end())
            give_files(*found->second, count);
    };
    worker_.post([files = std::move(files), inbox = inbox_, done = std::move(done)] {
        if (!files->empty())
            files->pop_back();
        if (!files->empty())
            return Worker::Progress::more;
        inbox->post(done);
        return Worker::Progress::finished;
    });
}

void Fabric::add_region(Partition& partition, std::shared_ptr<RegisteredRegion> region) {
    registered_bytes_ += region->registered_bytes;
    regions_.emplace(region->entry.network_id, region);
    partition.regions.emplace(region->entry.handle, std::move(region));
}

// Gives back what counts per region, except descriptors, mappings and the partition's quota.
void Fabric::forget_region(const std::shared_ptr<RegisteredRegion>& region) {
    registered_bytes_ -= region->registered_bytes;
    Journal::invalidate(region->cell);
    for (RegionFilesCell* cell : std::exchange(region->file_cells, {}))
        journal_->free(cell);
    forget_inodes(region->memory.files);
    regions_.erase(region->entry.network_id);
}

void Fabric::remove_region(Partition& partition, std::uint32_t handle, std::function<void()> done) {
    auto node = partition.regions.extract(handle);
    if (node.empty())
        return;
    const std::shared_ptr<RegisteredRegion> region = std::move(node.mapped());
    partition.table->remove(region->entry);
    CAUSEWAY_FAULT_POINT("adapter.deregister.removed");
    if (region->granted)
        count_revocation(partition);
    partition.usage.bytes -= region->registered_bytes;
    --partition.usage.regions;
    give_files(partition, region->memory.files.size());
    forget_region(region);
    // Revoking takes the kernel as long as the region is large: not on this thread.
    offload([this, region, done = std::move(done)]() -> std::function<void()> {
        const Result<void> revoked = region->memory.mapping.revoke();
        if (revoked) {
            region->memory.files.clear();
            return [this, region, done] {
                retire(region);
                done();
            };
        }
        // Not even addresses are to be had: it is effective when every mover has passed on.
        return [this, region, done, text = revoked.error().text] {
            log_->warn("a region cannot be revoked at once: {}", text);
            after_movers([this, region, done] {
                journal_->free(region->cell);
                free_memory(std::move(region->memory));
                done();
            });
        };
    });
}

void Fabric::retire(std::shared_ptr<RegisteredRegion> region) {
    after_movers([this, region = std::move(region)] {
        journal_->free(region->cell);  // until here a mover could store its offset there
        free_memory(std::move(region->memory));
    });
}

void Fabric::free_memory(RegionMemory memory) {
    auto shared = std::make_shared<RegionMemory>(std::move(memory));
    offload([this, shared]() -> std::function<void()> {
        const std::uint64_t count = shared->mappings;
        *shared = {};
        return [this, count] { give_mappings(count); };
    });
}

}  // namespace causeway::adapter
