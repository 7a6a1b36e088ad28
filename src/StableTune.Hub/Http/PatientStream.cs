namespace StableTune.Hub;

/// <summary>Reads from the network with a limit on pauses.</summary>
internal sealed class PatientStream(Stream stream, TimeSpan longestPause, TimeProvider clock)
{
    /// <returns>The bytes read; 0 at the end.</returns>
    /// <exception cref="TransientFault">The connection broke, or nothing came for too long.</exception>
    public async Task<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var pause = new CancellationTokenSource(longestPause, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(pause.Token, cancellationToken);
        try
        {
            return await stream.ReadAsync(buffer, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TransientFault($"The download stood still for {longestPause.TotalSeconds:0.###} s.", e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException or InvalidDataException)
        {
            throw new TransientFault($"The connection broke ({e.Message.TrimEnd('.')}).", e);
        }
    }
}
