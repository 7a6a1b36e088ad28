using StableTune.Optimizers;
using StableTune.Training;

namespace StableTune.Schedules;

/// <summary>The schedules of a run: that of the plan, and those that groups of parameters have of their own.</summary>
internal sealed class RunSchedules
{
    private readonly IReadOnlyList<ParameterGroup> _groups;
    private readonly (string Name, ILrSchedule Schedule)[] _ofGroups;        // for each group
    private readonly List<ILrSchedule> _all = [];

    /// <summary>Creates the schedules; groups whose options are equal share one.</summary>
    /// <param name="usual">Of groups without a schedule of their own.</param>
    /// <param name="groups">What is stepped.</param>
    /// <param name="setup">What is known of the run.</param>
    public RunSchedules(LrScheduleOptions usual, IReadOnlyList<ParameterGroup> groups, ScheduleSetup setup)
    {
        _groups = groups;
        // The plan's is the first, also where all groups have others: what it remembers is at the same place in every state.
        var made = new OrderedDictionary<LrScheduleOptions, ILrSchedule> { [usual] = usual.Create(setup) };
        foreach (var own in groups.Select(group => group.Schedule).OfType<LrScheduleOptions>())
            if (!made.ContainsKey(own)) made.Add(own, own.Create(setup));
        _all.AddRange(made.Values);
        _ofGroups = [.. groups.Select(group => ((group.Schedule ?? usual).Name, made[group.Schedule ?? usual]))];
    }

    /// <summary>Whether one of them must know the loss of each step before the next begins.</summary>
    public bool NeedEveryLoss => _all.Exists(schedule => schedule.NeedsEveryLoss);

    /// <summary>The rate of each group for a step.</summary>
    /// <exception cref="InvalidOperationException">A schedule gave something that is no number.</exception>
    public double[] Rates(int step)
    {
        var rates = new double[_groups.Count];
        for (var i = 0; i < rates.Length; i++)
        {
            var (name, schedule) = _ofGroups[i];
            rates[i] = schedule.Rate(step, _groups[i].LearningRate);
            if (!double.IsFinite(rates[i]))
                throw new InvalidOperationException(
                    $"The learning-rate schedule \"{name}\" gave {schedule.Factor(step)} for step {step}: a factor must be a "
                        + "finite number.");
        }

        return rates;
    }

    public void Observe(in ScheduleMetrics metrics)
    {
        foreach (var schedule in _all) schedule.Observe(metrics);
    }

    public void Save(StateWriter writer)
    {
        for (var i = 0; i < _all.Count; i++) _all[i].Save(i == 0 ? writer : writer.Within($"schedule {i}"));
    }

    public void Load(StateReader reader)
    {
        for (var i = 0; i < _all.Count; i++) _all[i].Load(i == 0 ? reader : reader.Within($"schedule {i}"));
    }
}
