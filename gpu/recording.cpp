#include <algorithm>
#include <array>
#include <set>

#include "gpu/buffer.hpp"
#include "gpu/commands.hpp"
#include "gpu/matmul.hpp"

namespace xdna::gpu {
namespace detail {
namespace {

/// A view that was checked, rounded up to whole 16-byte vectors where the buffer has them.
VkDescriptorBufferInfo descriptor_of(const DeviceState& device, const View& view, const char* name,
                                     std::size_t bytes) {
    const auto refuse = [&](const std::string& why) {
        throw Error(ErrorCode::kInvalidArgument,
                    std::string("Recording::matmul: ") + name + ": " + why);
    };
    if (view.buffer == nullptr) {
        refuse("no buffer");
    }
    const BufferState& buffer = *view.buffer->state();
    if (buffer.device().get() != &device) {
        refuse("the buffer is another device's");
    }
    if (view.offset % device.info().offset_alignment != 0) {
        refuse("offset " + std::to_string(view.offset) + " is no multiple of " +
               std::to_string(device.info().offset_alignment));
    }
    // Elements are read in words of four bytes, and in vectors of 16 where rows are aligned to
    // that.
    const std::size_t words = (bytes + 3) / 4 * 4;
    if (view.offset > buffer.size() || bytes > buffer.size() - view.offset ||
        words > buffer.end() - view.offset) {
        refuse(std::to_string(bytes) + " bytes at offset " + std::to_string(view.offset) +
               " go past the buffer's end at " + std::to_string(buffer.size()));
    }
    return {.buffer = buffer.buffer(),
            .offset = view.offset,
            .range = std::min(BufferState::padded(bytes), buffer.end() - view.offset)};
}

VkDeviceAddress address_of(const View& view) {
    return view.buffer->state()->address() + view.offset;
}

}  // namespace

/// Steps are kept, and become commands when they are first submitted: only then is known how many
/// timestamps and descriptors there are.
class RecordingState {
  public:
    RecordingState(std::shared_ptr<DeviceState> device, Timing timing)
        : device_(std::move(device)), timing_(timing), commands_(device_) {}
    ~RecordingState() {
        device_->vk.vkDestroyDescriptorPool(device_->device(), pool_, nullptr);
        device_->vk.vkDestroyQueryPool(device_->device(), queries_, nullptr);
    }
    RecordingState(const RecordingState&) = delete;
    RecordingState& operator=(const RecordingState&) = delete;

    const std::shared_ptr<DeviceState>& device() const { return device_; }

    void add(const std::shared_ptr<MatmulState>& matmul, const MatmulArguments& arguments) {
        if (recorded_) {
            throw Error(ErrorCode::kInvalidArgument,
                        "Recording::matmul: the recording has been submitted");
        }
        if (matmul->device != device_) {
            throw Error(ErrorCode::kInvalidArgument,
                        "Recording::matmul: the matmul is another device's");
        }
        const Problem& problem = matmul->problem;
        const auto bytes = [&](const Stored& s) { return bytes_of(s.type, s.span(problem.batch)); };
        const View& a = problem.swapped ? arguments.b : arguments.a;
        const View& b = problem.swapped ? arguments.a : arguments.b;
        Step step{.matmul = matmul};
        step.bindings[kBindingA] =
            descriptor_of(*device_, a, problem.swapped ? "b" : "a", bytes(problem.a));
        step.bindings[kBindingB] =
            descriptor_of(*device_, b, problem.swapped ? "a" : "b", bytes(problem.b));
        step.bindings[kBindingC] = descriptor_of(*device_, arguments.c, "c", bytes(problem.c));
        const std::size_t scales = scale_bytes_of(problem.a.type, problem.a.span(problem.batch));
        // A binding that the kernel could use must be something.
        step.bindings[kBindingScales] =
            scales != 0 ? descriptor_of(*device_, arguments.scales, "scales", scales)
                        : step.bindings[kBindingA];
        for (const Binding input : {kBindingA, kBindingB, kBindingScales}) {
            const auto& from = step.bindings[input];
            const auto& to = step.bindings[kBindingC];
            if (from.buffer == to.buffer && from.offset < to.offset + to.range &&
                to.offset < from.offset + from.range) {
                throw Error(ErrorCode::kInvalidArgument,
                            "Recording::matmul: c overlaps an operand");
            }
        }
        step.addresses = {address_of(a), address_of(b), address_of(arguments.c),
                          scales != 0 ? address_of(arguments.scales) : 0};
        if (matmul->choice.workspace != 0) {
            step.workspace =
                std::make_unique<BufferState>(device_, matmul->choice.workspace, Memory::kDevice);
        }
        steps_.push_back(std::move(step));
    }

    std::uint64_t submit() {
        if (!recorded_) {
            record();
            recorded_ = true;
        }
        last_ = device_->submit(commands_.get());
        return last_;
    }

    std::vector<double> finished_after() {
        if (queries_ == VK_NULL_HANDLE || last_ == 0) {
            return {};
        }
        device_->wait(last_, UINT64_MAX);
        std::vector<std::uint64_t> ticks(query_count());
        check(device_->vk.vkGetQueryPoolResults(
                  device_->device(), queries_, 0, static_cast<std::uint32_t>(ticks.size()),
                  ticks.size() * sizeof(std::uint64_t), ticks.data(), sizeof(std::uint64_t),
                  VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
              "vkGetQueryPoolResults");
        std::vector<double> seconds;
        for (std::size_t i = 1; i < ticks.size(); i++) {
            seconds.push_back(static_cast<double>(ticks[i] - ticks[0]) *
                              device_->info().timestamp_period * 1e-9);
        }
        return seconds;
    }

  private:
    struct Step {
        std::shared_ptr<MatmulState> matmul;
        std::array<VkDescriptorBufferInfo, kBindings> bindings{};
        std::array<VkDeviceAddress, kBindings> addresses{};
        std::unique_ptr<BufferState> workspace;
    };

    std::uint32_t query_count() const {
        return timing_ == Timing::kWhole ? 2 : static_cast<std::uint32_t>(steps_.size() + 1);
    }

    void create_pools() {
        const auto sets = static_cast<std::uint32_t>(2 * steps_.size() + 1);
        const VkDescriptorPoolSize size{.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .descriptorCount = sets * kBindings};
        const VkDescriptorPoolCreateInfo pool{
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = sets,
            .poolSizeCount = 1,
            .pPoolSizes = &size};
        check(device_->vk.vkCreateDescriptorPool(device_->device(), &pool, nullptr, &pool_),
              "vkCreateDescriptorPool");
        if (device_->info().timestamp_period != 0) {
            const VkQueryPoolCreateInfo queries{.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                                .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                                .queryCount = query_count()};
            check(device_->vk.vkCreateQueryPool(device_->device(), &queries, nullptr, &queries_),
                  "vkCreateQueryPool");
        }
    }

    void timestamp(std::uint32_t query) {
        if (queries_ != VK_NULL_HANDLE) {
            device_->vk.vkCmdWriteTimestamp(commands_.get(), VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                                            queries_, query);
        }
    }

    void dispatch(VkPipeline pipeline, const Parameters& parameters,
                  const std::array<VkDescriptorBufferInfo, kBindings>& bindings, std::uint32_t x,
                  std::uint32_t y, std::uint32_t z) {
        const VkDescriptorSetLayout layout = device_->set_layout();
        const VkDescriptorSetAllocateInfo allocate{
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = pool_,
            .descriptorSetCount = 1,
            .pSetLayouts = &layout};
        VkDescriptorSet set = VK_NULL_HANDLE;
        check(device_->vk.vkAllocateDescriptorSets(device_->device(), &allocate, &set),
              "vkAllocateDescriptorSets");
        const VkWriteDescriptorSet write{.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                         .dstSet = set,
                                         .descriptorCount = kBindings,
                                         .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                         .pBufferInfo = bindings.data()};
        device_->vk.vkUpdateDescriptorSets(device_->device(), 1, &write, 0, nullptr);
        VkCommandBuffer commands = commands_.get();
        device_->vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        device_->vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                            device_->pipeline_layout(), 0, 1, &set, 0, nullptr);
        device_->vk.vkCmdPushConstants(commands, device_->pipeline_layout(),
                                       VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(parameters),
                                       &parameters);
        device_->vk.vkCmdDispatch(commands, x, y, z);
    }

    /// A PTX kernel, by its parameters' order.
    void launch(const Step& step) {
        const Choice& choice = step.matmul->choice;
        const Problem& problem = step.matmul->problem;
        const VkDeviceAddress c =
            step.workspace ? step.workspace->address() : step.addresses[kBindingC];
        const std::uint32_t flags = (problem.c.transposed ? 1U : 0U) | (step.workspace ? 2U : 0U) |
                                    (!step.workspace && problem.c.type == Type::kF16 ? 4U : 0U);
        const std::uint32_t tiles = choice.groups_x * choice.groups_y * choice.groups_z;
        const std::array<const void*, 7> parameters{&step.addresses[kBindingA],
                                                    &step.addresses[kBindingB],
                                                    &c,
                                                    &step.addresses[kBindingScales],
                                                    &choice.parameters,
                                                    &flags,
                                                    &tiles};
        const VkCuLaunchInfoNVX info{.sType = VK_STRUCTURE_TYPE_CU_LAUNCH_INFO_NVX,
                                     .function = step.matmul->function,
                                     .gridDimX = choice.workgroups,
                                     .gridDimY = 1,
                                     .gridDimZ = 1,
                                     .blockDimX = choice.threads,
                                     .blockDimY = 1,
                                     .blockDimZ = 1,
                                     .sharedMemBytes = choice.shared_memory,
                                     .paramCount = parameters.size(),
                                     .pParams = parameters.data()};
        device_->vk.vkCmdCuLaunchKernelNVX(commands_.get(), &info);
    }

    void record() {
        create_pools();
        commands_.begin();
        if (queries_ != VK_NULL_HANDLE) {
            device_->vk.vkCmdResetQueryPool(commands_.get(), queries_, 0, query_count());
        }
        commands_.barrier();
        timestamp(0);
        std::set<VkBuffer> read;
        std::set<VkBuffer> written;
        std::uint32_t query = 1;
        for (const Step& step : steps_) {
            const VkBuffer c = step.bindings[kBindingC].buffer;
            const auto is_written = [&](const VkDescriptorBufferInfo& b) {
                return written.contains(b.buffer);
            };
            if (read.contains(c) ||
                std::any_of(step.bindings.begin(), step.bindings.end(), is_written)) {
                commands_.shader_barrier();
                read.clear();
                written.clear();
            }
            for (const auto& binding : step.bindings) {
                read.insert(binding.buffer);
            }
            read.erase(c);
            written.insert(c);

            const Choice& choice = step.matmul->choice;
            auto bindings = step.bindings;
            const VkDescriptorBufferInfo result = bindings[kBindingC];
            if (step.workspace) {
                bindings[kBindingC] = {.buffer = step.workspace->buffer(),
                                       .range = choice.workspace};
            }
            if (choice.threads != 0) {
                launch(step);
            } else {
                dispatch(step.matmul->pipeline, choice.parameters, bindings, choice.groups_x,
                         choice.groups_y, choice.groups_z);
            }
            if (step.workspace) {
                commands_.shader_barrier();
                read.clear();
                written = {c};
                bindings[kBindingA] = bindings[kBindingC];
                bindings[kBindingC] = result;
                dispatch(step.matmul->reduce, choice.parameters, bindings, choice.reduce_groups_x,
                         1, step.matmul->problem.batch);
            }
            if (timing_ == Timing::kEach) {
                timestamp(query++);
            }
        }
        if (timing_ == Timing::kWhole) {
            timestamp(1);
        }
        commands_.barrier();
        commands_.end();
    }

    std::shared_ptr<DeviceState> device_;
    Timing timing_;
    CommandBuffer commands_;
    std::vector<Step> steps_;
    VkDescriptorPool pool_ = VK_NULL_HANDLE;
    VkQueryPool queries_ = VK_NULL_HANDLE;
    bool recorded_ = false;
    std::uint64_t last_ = 0;
};

}  // namespace detail

Recording::Recording(const Device& device, Timing timing)
    : state_(std::make_shared<detail::RecordingState>(device.state(), timing)) {}

void Recording::matmul(const Matmul& matmul, const MatmulArguments& arguments) {
    state_->add(matmul.state(), arguments);
}

Ticket Recording::submit() {
    return {state_->submit()};
}

void Recording::wait(Ticket ticket) {
    state_->device()->wait(ticket.value, UINT64_MAX);
}

bool Recording::wait_for(Ticket ticket, std::chrono::nanoseconds timeout) {
    return state_->device()->wait(
        ticket.value, static_cast<std::uint64_t>(std::max<std::int64_t>(0, timeout.count())));
}

std::vector<double> Recording::finished_after() {
    return state_->finished_after();
}

void multiply(const Device& device, const Matmul& matmul, const MatmulArguments& arguments) {
    Recording recording(device);
    recording.matmul(matmul, arguments);
    recording.wait(recording.submit());
}

}  // namespace xdna::gpu
