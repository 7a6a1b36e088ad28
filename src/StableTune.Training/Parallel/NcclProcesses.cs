using System.Runtime.InteropServices;
using StableTune.Torch;
using StableTune.Training;

namespace StableTune
{
    /// <summary>
    /// Processes with a GPU each, whose gradients NVIDIA's NCCL adds up from GPU to GPU. They meet, and tell each other all else, as
    /// <see cref="Meeting"/> says. Linux. Experimental: not tried yet on a machine with two GPUs.
    /// </summary>
    public sealed record NcclProcesses : ProcessOptions
    {
        /// <summary>How the processes find each other: <see cref="TcpProcesses"/>, <see cref="MpiProcesses"/>, or a host's own; with the
        /// same numbers.</summary>
        public required ProcessOptions Meeting { get; init; }

        /// <summary>NCCL's library; null, the default, for the system's <c>libnccl.so.2</c>.</summary>
        public string? Library { get; init; }

        /// <summary>The same processes, with sums by NCCL.</summary>
        /// <param name="meeting">How they find each other.</param>
        public static NcclProcesses By(ProcessOptions meeting)
        {
            ArgumentNullException.ThrowIfNull(meeting);
            return new NcclProcesses { Rank = meeting.Rank, Count = meeting.Count, LocalRank = meeting.LocalRank, Meeting = meeting };
        }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate().Concat(Meeting.Validate())) yield return problem;
            if ((Meeting.Rank, Meeting.Count) != (Rank, Count))
                yield return Problem(Meeting, $"it is for process {Meeting.Rank} of {Meeting.Count}, and this one is {Rank} of {Count}",
                    "use NcclProcesses.By");
            if (Library is not null && !File.Exists(Library))
                yield return Problem(Library, "there is no such file", "leave it unset for the system's library");
        }

        /// <inheritdoc/>
        public override IProcessGroup Open(TimeSpan timeout)
        {
            try
            {
                var library = NcclLibrary.Load(Library);
                return new NcclGroup(library, Meeting.Open(timeout), timeout);
            }
            catch (DllNotFoundException fault)
            {
                throw new ProcessGroupException($"{fault.Message} Install NCCL (libnccl2 of NVIDIA's repository) and a CUDA package of "
                    + $"StableTune, name the library (NcclProcesses.Library), or leave NCCL out: {Meeting.GetType().Name} needs none.",
                    Rank, fault);
            }
        }
    }
}

namespace StableTune.Training
{
    /// <summary>Processes whose GPUs exchange numbers by NCCL; numbers in host memory, texts and news go by another group.</summary>
    internal sealed class NcclGroup(NcclLibrary library, IProcessGroup meeting, TimeSpan timeout) : IProcessGroup
    {
        private readonly Lock _lock = new();
        private nint _group;
        private long _sent;

        public int Rank => meeting.Rank;

        public int Count => meeting.Count;

        public long BytesSent => meeting.BytesSent + Interlocked.Read(ref _sent);

        public CancellationToken Ended => meeting.Ended;

        public string NameOf(int rank) => meeting.NameOf(rank);

        public IReadOnlyList<byte[]> Gather(byte[] mine) => meeting.Gather(mine);

        public void Fail(string reason) => meeting.Fail(reason);

        public void Sum(Tensor values)
        {
            HostProcessGroup.ThrowIfUnfit(values);
            if (Count == 1 || values.numel() == 0) return;
            if (values.device_type != DeviceType.CUDA)
            {
                meeting.Sum(values);
                return;
            }

            try
            {
                SumOnDevices(values);
            }
            catch (ExternalException fault)
            {
                if (Ended.IsCancellationRequested) meeting.Gather([]);       // which says who has ended, and why
                throw new ProcessGroupException($"NCCL cannot exchange numbers: {fault.Message}. Start all processes again; with saved "
                    + "states they can resume from the last one.", inner: fault);
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                if (_group != 0) library.Leave(_group);
                _group = 0;
            }

            meeting.Dispose();
        }

        private void SumOnDevices(Tensor values)
        {
            var device = Math.Max(0, values.device_index);
            if (_group == 0) _group = library.Join(meeting.Gather(Rank == 0 ? library.NewId() : [])[0], Rank, Count, device);
            var isLate = false;
            // Waiting cannot be broken off but by ending the group.
            using var ended = Ended.Register(Abort);
            using var clock = new Timer(_ =>
            {
                isLate = true;
                Abort();
            }, null, timeout, Timeout.InfiniteTimeSpan);
            library.BeginSum(_group, values.DataPointer(), values.numel(), values.dtype == ScalarType.Float64, device);
            cuda.synchronize(new Device(DeviceType.CUDA, device));
            // As in a ring: each number goes around twice, but for its own part.
            Interlocked.Add(ref _sent, 2 * values.numel() * values.element_size() * (Count - 1) / Count);
            if (Ended.IsCancellationRequested) throw new ExternalException("a process has ended");
            if (isLate)
                throw new ProcessGroupException($"The other processes have not answered for {timeout}. Look what they wait for, or allow "
                    + "more time (DistributedOptions.Timeout, ddp_timeout).");
        }

        private void Abort()
        {
            lock (_lock)
            {
                if (_group != 0) library.Abort(_group);
                _group = 0;
            }
        }
    }
}
