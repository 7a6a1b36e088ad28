using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using StableTune.Training;

namespace StableTune
{
    /// <summary>
    /// Processes that <c>mpirun</c> of Open MPI has started: on one machine by its memory, on several over whatever network Open MPI knows.
    /// The library is the machine's own (Debian: <c>openmpi-bin</c>); MPICH's is another and is refused.
    /// </summary>
    public sealed record MpiProcesses : ProcessOptions
    {
        /// <summary>Open MPI's library; null, the default, for the system's <c>libmpi</c>.</summary>
        public string? Library { get; init; }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            foreach (var problem in base.Validate()) yield return problem;
            if (Library is not null && !File.Exists(Library))
                yield return Problem(Library, "there is no such file", "leave it unset for the system's library");
        }

        /// <inheritdoc/>
        public override IProcessGroup Open(TimeSpan timeout) => new MpiGroup(this, timeout);
    }
}

namespace StableTune.Training
{
    /// <summary>Processes over MPI.</summary>
    internal sealed class MpiGroup : HostProcessGroup
    {
        private const int FaultTag = 77;

        private readonly MpiLibrary _mpi;
        private readonly TimeSpan _timeout;
        private readonly string[] _names;
        private long _sent;

        public MpiGroup(MpiProcesses options, TimeSpan timeout)
        {
            _timeout = timeout;
            try
            {
                _mpi = MpiLibrary.Load(options.Library);
            }
            catch (DllNotFoundException fault)
            {
                throw new ProcessGroupException($"{fault.Message} Install Open MPI (Debian and Ubuntu: openmpi-bin), name its library "
                    + "(MpiProcesses.Library), or start the processes with torchrun's variables, which need none.", inner: fault);
            }

            if (_mpi.Count != options.Count || _mpi.Rank != options.Rank)
                throw new ProcessGroupException($"This process was told that it is {options.Rank} of {options.Count}, and MPI says "
                    + $"{_mpi.Rank} of {_mpi.Count}. Start all processes with mpirun of the Open MPI whose library is used.", options.Rank);
            _names = new string[Count];
            Array.Fill(_names, "not met yet");
            _names = [.. Gather(Encoding.UTF8.GetBytes(TcpRendezvous.OwnName)).Select(Encoding.UTF8.GetString)];
        }

        public override int Rank => _mpi.Rank;

        public override int Count => _mpi.Count;

        public override long BytesSent => _sent;

        public override string NameOf(int rank) => $"process {rank} ({_names[rank]})";

        public override IReadOnlyList<byte[]> Gather(byte[] mine)
        {
            ArgumentNullException.ThrowIfNull(mine);
            _sent += mine.Length * (Count - 1L);
            return Guarded(() => _mpi.Gather(mine, Wait));
        }

        protected override void SumOnHost(Tensor values)
        {
            _sent += values.numel() * values.element_size() * (Rank == 0 ? Count - 1 : 1);
            Guarded(() =>
            {
                _mpi.Sum(values.DataPointer(), (int)values.numel(), values.dtype == ScalarType.Float64, Wait);
                return true;
            });
        }

        public override void Fail(string reason)
        {
            try
            {
                _mpi.Tell(reason, FaultTag);
            }
            catch (ExternalException)
            {
                // Who cannot be told notices by mpirun, which ends all processes when one has failed.
            }
        }

        /// <summary>MPI goes on to the end of the process: it cannot begin a second time.</summary>
        public override void Dispose() { }

        private static T Guarded<T>(Func<T> exchange)
        {
            try
            {
                return exchange();
            }
            catch (ExternalException fault)
            {
                throw new ProcessGroupException($"MPI cannot exchange numbers: {fault.Message}. Start all processes again; with saved "
                    + "states they can resume from the last one.", inner: fault);
            }
        }

        private void Wait(nint request)
        {
            var (spin, clock) = (new SpinWait(), Stopwatch.StartNew());
            while (!_mpi.IsDone(ref request))
            {
                if (_mpi.Heard(FaultTag) is var (rank, reason)) throw ProcessGroupException.Ended(NameOf(rank), rank, reason);
                if (clock.Elapsed > _timeout)
                    throw new ProcessGroupException($"The other processes have not answered for {_timeout}. Look what they wait for, or "
                        + "allow more time (DistributedOptions.Timeout, ddp_timeout).");
                spin.SpinOnce(sleep1Threshold: 100);
            }
        }
    }
}
